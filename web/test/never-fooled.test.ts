/**
 * Whatever is done to good evidence, it is refused, or every claim is what it was. The runs are bounded: each judges
 * a whole bundle, signatures included.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Evidence } from '../src/verifier.js';
import { goodBundle, loadTestRoot, NOW, readCase, REFERENCES, resolve } from './helpers.js';

const { parseQuote, verify, CHECK_IDS } = await loadTestRoot();
const good = goodBundle();
const original = parseQuote(good.evidence['quote'] as string);
const RUNS = 150;

/** What a verdict rests on: the TD report, the data it is bound to, and the log. */
function claims(bundle: Evidence) {
	const { pck_chain, qe_auth_size, size, hex, user_data, ...report } = parseQuote(bundle.evidence['quote'] as string);
	return {
		report,
		bound: bundle.evidence['runtime_data'],
		log: String(bundle.evidence['event_log']).replace(/\n$/, '')
	};
}
const claimed = claims(good);

/** Judge what `bundle` has become, and hold the property. */
async function refusedOrUnchanged(bundle: unknown): Promise<void> {
	const report = await verify({ bundle: bundle as Evidence, references: REFERENCES, now: NOW });
	expect(report.checks.map((check) => check.id)).toEqual([...CHECK_IDS]);
	expect(report.checks.map((check) => check.key)).not.toContain('tee.check.internal');
	if (report.overall !== 'verified') return;
	const text = typeof bundle === 'string' ? (JSON.parse(bundle) as Evidence) : (bundle as Evidence);
	expect(claims(text)).toEqual(claimed);
	expect([text.nonce, text.connected?.origin]).toEqual([good.nonce, good.connected?.origin]);
}

test('the untouched bundle is verified, so that refusals mean something', async () => {
	expect((await verify({ bundle: good, references: REFERENCES, now: NOW })).overall).toBe('verified');
});

test('any bit of the quote', async () => {
	const bytes = Buffer.from(original.hex, 'hex');
	const place = fc.tuple(fc.nat(bytes.length - 1), fc.nat(7));
	await fc.assert(
		fc.asyncProperty(place, async ([at, bit]) => {
			const changed = Buffer.from(bytes);
			changed[at]! ^= 1 << bit;
			await refusedOrUnchanged({ ...goodBundle(), evidence: { ...good.evidence, quote: changed.toString('hex') } });
		}),
		{ numRuns: RUNS }
	);
});

/** Paths to every member of a JSON value, the value itself excluded. */
function paths(value: unknown, prefix: (string | number)[] = []): (string | number)[][] {
	if (typeof value !== 'object' || value === null) return [];
	return Object.entries(value).flatMap(([key, member]) => [[...prefix, key], ...paths(member, [...prefix, key])]);
}

function change(
	value: unknown,
	path: (string | number)[],
	edit: (parent: Record<string, unknown>, key: string) => void
): void {
	const parent = path.slice(0, -1).reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], value);
	edit(parent as Record<string, unknown>, String(path.at(-1)));
}

test('any member of the bundle replaced, dropped or doubled', async () => {
	const place = fc.constantFrom(...paths(good));
	const value = fc.oneof(
		fc.jsonValue({ maxDepth: 2 }),
		fc.constantFrom('', 0, -1, 1e308, [], {}, null, 'x'.repeat(10_000))
	);
	await fc.assert(
		fc.asyncProperty(place, fc.option(value, { nil: undefined }), async (path, replacement) => {
			const bundle = goodBundle();
			change(bundle, path, (parent, key) => {
				if (replacement === undefined) Reflect.deleteProperty(parent, key);
				else parent[key] = replacement;
			});
			await refusedOrUnchanged(bundle);
		}),
		{ numRuns: RUNS }
	);
});

test('any character of the text', async () => {
	const text = JSON.stringify(good);
	const edit = fc.record({
		at: fc.nat(text.length - 1),
		drop: fc.nat(3),
		put: fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('"', '{', '}', ',', '\\', '0'))
	});
	await fc.assert(
		fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
			const changed = edits.reduce((all, { at, drop, put }) => all.slice(0, at) + put + all.slice(at + drop), text);
			await refusedOrUnchanged(changed);
		}),
		{ numRuns: RUNS }
	);
});

test('any line of the log moved, dropped or doubled', async () => {
	const lines = String(good.evidence['event_log']).replace(/\n$/, '').split('\n');
	const pick = fc.array(fc.nat(lines.length - 1), { maxLength: lines.length + 2 });
	await fc.assert(
		fc.asyncProperty(pick, async (order) => {
			const log = order.map((index) => lines[index]).join('\n');
			await refusedOrUnchanged({ ...goodBundle(), evidence: { ...good.evidence, event_log: log } });
		}),
		{ numRuns: 60 }
	);
});

test('any part of the collateral taken from other collateral', async () => {
	const others = [
		'collateral-other-fmspc',
		'collateral-foreign-root',
		'collateral-old-crl',
		'tcb-OutOfDate',
		'collateral-revoked-pck',
		'collateral-tcb-info-signed-by-pck'
	]
		.map(
			(name) => (resolve(readCase(name).bundle ?? readCase(name).bare) as Evidence).collateral as Record<string, string>
		)
		.filter(Boolean);
	const fields = Object.keys(good.collateral as object);
	await fc.assert(
		fc.asyncProperty(fc.constantFrom(...others), fc.subarray(fields, { minLength: 1 }), async (other, taken) => {
			const collateral = {
				...(good.collateral as Record<string, string>),
				...Object.fromEntries(taken.map((field) => [field, other[field]!]))
			};
			await refusedOrUnchanged({ ...goodBundle(), collateral });
		}),
		{ numRuns: 60 }
	);
});

test.each([
	['brackets', '['.repeat(1_000_000)],
	['objects', '{"a":'.repeat(100_000)],
	['quotation marks', '"'.repeat(5_000_000)],
	['digits', '9'.repeat(1_000_000)],
	['spaces', `{"v":1${' '.repeat(4_000_000)}`]
])('an endless text of %s', async (_, text) => await refusedOrUnchanged(text));
