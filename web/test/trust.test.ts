import { beforeEach, expect, test } from 'vitest';
import type { Evidence, Report, Snapshot } from '../src/verifier.js';
import { goodBundle, loadTestRoot, NOW, readCase, resolve } from './helpers.js';

const { canTrust, compareTrusted, shield, trustSnapshot, verify } = await loadTestRoot();
const bundleOf = (name: string) => resolve(readCase(name).bundle) as Evidence;
const judge = (bundle: Evidence, trusted?: Snapshot) => verify({ bundle, now: NOW, ...(trusted && { trusted }) });
/** The judgement of somebody who trusts whoever administers the machine as well. */
const trusting = (bundle: Evidence, trusted: Snapshot) =>
	verify({ bundle, now: NOW, trusted, policy: { platform: { trust_administrator: true } } });
const statusOf = (report: Report, id: string) => report.checks.find((check) => check.id === id)!;

let bundle: Evidence;
let snapshot: Snapshot;
beforeEach(() => {
	bundle = goodBundle();
	snapshot = trustSnapshot(bundle, '2025-06-03T10:00:00Z');
});

test('what was trusted turns amber to green, and says when', async () => {
	const before = await judge(bundle);
	expect([before.overall, shield(before), canTrust(before)]).toEqual(['incomplete', 'amber', true]);
	const after = await trusting(bundle, snapshot);
	expect([after.overall, shield(after)]).toEqual(['verified', 'green']);
	expect(statusOf(after, 'platform.match').detail).toBe(
		'The platform is known: the platform is the same as you trusted on 2025-06-03. You trust whoever administers its machine.'
	);
	expect(compareTrusted(snapshot, bundle)).toEqual([]);
});

test('trusting what was seen once does not measure the programs', async () => {
	const report = await judge(bundle, snapshot);
	expect([report.overall, statusOf(report, 'platform.match').status]).toEqual(['incomplete', 'warn']);
	expect(statusOf(report, 'release.match').status).toBe('pass');
});

test('a changed event is red and named, a restart with the same events is not', async () => {
	const changed = bundleOf('release-other-settings');
	const report = await judge(changed, snapshot);
	expect([report.overall, shield(report)]).toEqual(['not-acceptable', 'red']);
	expect(statusOf(report, 'release.match').detail).toMatch(/changed since you trusted it on 2025-06-03: settings\. In detail: settings: /);
	expect(compareTrusted(snapshot, changed).map(({ part, field }) => [part, field])).toEqual([['event', 'settings']]);
	const reordered: Snapshot = { ...snapshot, events: [...snapshot.events].reverse() };
	expect((await trusting(bundle, reordered)).overall).toBe('verified');
});

test('a changed register is red and named with both values', async () => {
	const other: Snapshot = { ...snapshot, platform: { ...snapshot.platform, rtmr_1: 'ab'.repeat(48) } };
	const report = await judge(bundle, other);
	expect(statusOf(report, 'platform.match').status).toBe('fail');
	expect(compareTrusted(other, bundle)).toEqual([
		{ part: 'platform', field: 'rtmr_1', trusted: 'ab'.repeat(48), now: snapshot.platform.rtmr_1 }
	]);
});

test('a model that came or went is named after the model', () => {
	const more: Snapshot = { ...snapshot, events: snapshot.events.filter((line) => !line.includes(' model ')) };
	expect(compareTrusted(more, bundle).map(({ field, trusted }) => [field, trusted])).toEqual([
		['model smollm2:135m', null]
	]);
});

test('an event that is gone is a change too', async () => {
	const gone = 'open-webui-tdx model {"digest":"sha384:00","name":"other:1b"}';
	const more: Snapshot = { ...snapshot, events: [...snapshot.events, gone] };
	expect(compareTrusted(more, bundle)).toEqual([{ part: 'event', field: 'model other:1b', trusted: gone, now: null }]);
	expect((await judge(bundle, more)).overall).toBe('not-acceptable');
});

test('trust never outweighs references, nor a simulated or unproven quote', async () => {
	const references = { v: 2, name: 'other', events: ['open-webui-tdx release {}'] };
	expect((await verify({ bundle, now: NOW, trusted: snapshot, references })).overall).toBe('not-acceptable');
	const forged = goodBundle();
	const quote = forged.evidence['quote'] as string;
	forged.evidence['quote'] = quote.slice(0, 1200) + (quote[1200] === '0' ? '1' : '0') + quote.slice(1201);
	expect((await judge(forged, trustSnapshot(forged, NOW))).overall).toBe('not-genuine');
});

test('an unmeasured launch cannot be trusted into green', async () => {
	const unmeasured = bundleOf('unmeasured-nothing-held');
	const report = await judge(unmeasured, trustSnapshot(unmeasured, NOW));
	expect([report.overall, statusOf(report, 'release.match').status]).toEqual(['incomplete', 'warn']);
});

test.each([
	['another shape', { v: 1 }],
	['an empty register', { platform: { mr_td: '' } }],
	['no time', { time: 'yesterday' }]
])('a snapshot with %s is none', async (_, change) => {
	const broken = { ...snapshot, ...change } as Snapshot;
	if ('v' in change) Reflect.deleteProperty(broken, 'platform');
	expect((await judge(bundle, broken)).overall).toBe('incomplete');
});

test('only passed quote and binding checks allow trust', async () => {
	expect(canTrust(await judge(bundleOf('channel-plain-http')))).toBe(false);
	expect(canTrust({ checks: [] })).toBe(false);
});
