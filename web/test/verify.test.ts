import { expect, test } from 'vitest';
import { CHECK_IDS, overall, shield, type Check } from '../src/shared/verdict.js';
import { messages } from '../src/verifier/messages.js';
import { goodBundle, loadRelease, loadTestRoot, NOW, readCase, REFERENCES, resolve } from './helpers.js';

const release = await loadRelease();
const testRoot = await loadTestRoot();

test('the release never takes the simulator for real hardware', async () => {
	const report = await release.verify({ bundle: goodBundle(), references: REFERENCES, now: NOW });
	expect([report.overall, release.shield(report)]).toEqual(['simulated', 'amber']);
	expect(report.checks.filter((check) => check.status === 'fail').map((check) => check.id)).toEqual(['tee.real']);
});

test('no sentence about simulated hardware reads as if it were Intel\'s', async () => {
	const { checks } = await release.verify({ bundle: goodBundle(), references: REFERENCES, now: NOW });
	expect(checks[1]).toMatchObject({ key: 'tee.check.quote.signature.simulated', status: 'pass' });
	const said = checks.flatMap(({ title, detail }) => [title, detail.replace("not Intel's", '')]);
	expect(said.filter((text) => text.includes('Intel'))).toEqual([]);
});

test('all green needs everything', async () => {
	const report = await testRoot.verify({ bundle: goodBundle(), references: REFERENCES, now: NOW });
	expect([report.overall, testRoot.shield(report)]).toEqual(['verified', 'green']);
});

test('facts for the panel', async () => {
	const { facts } = await release.verify({ bundle: goodBundle(), now: NOW });
	expect(facts.tcb).toMatchObject({ status: 'UpToDate', qe_status: 'UpToDate', advisories: [] });
	expect(facts.tcb!.date).toMatch(/^\d{4}-\d\d-\d\d$/);
	expect(facts.chain!.map(({ subject }) => subject.split(',')[0])).toEqual([
		'CN=Intel SGX PCK Certificate',
		'CN=Intel SGX PCK Platform CA',
		'CN=Intel SGX Root CA'
	]);
	expect(facts.events!.map(({ operation }) => operation).slice(0, 3)).toEqual(['release', 'python', 'settings']);
});

test('collateral once seen is remembered, and older is refused', async () => {
	const fresh = resolve(readCase('verified').bundle) as never;
	const first = await testRoot.verify({ bundle: fresh, now: NOW });
	expect(first.seen.simulator.tcb_evaluation_data_number).toBeGreaterThan(0);
	expect(first.seen.intel.tcb_evaluation_data_number).toBe(0);
	const older = resolve(readCase('collateral-old-evaluation-unseen').bundle) as never;
	expect((await testRoot.verify({ bundle: older, now: NOW })).overall).not.toBe('not-genuine');
	const refused = await testRoot.verify({ bundle: older, now: NOW, seen: first.seen });
	expect(refused.checks[1]).toMatchObject({ status: 'fail', key: 'tee.check.quote.signature.rollback' });
	expect(refused.seen).toEqual(first.seen);
});

test('a damaged memory of what was seen does not get in the way', async () => {
	const report = await testRoot.verify({
		bundle: goodBundle(),
		now: NOW,
		seen: { simulator: 'x', intel: null } as never
	});
	expect(report.overall).toBe('incomplete');
});

test('QE authentication data with a byte appended is refused, although dcap-qvl hashes only what comes before', async () => {
	const bundle = goodBundle();
	const bytes = Buffer.from(bundle.evidence['quote'] as string, 'hex');
	const [section, outer, size] = [632, 766, 1218]; // where the sizes of signature data, certification data and QE data lie
	const longer = Buffer.concat([bytes.subarray(0, size + 34), Buffer.from([0]), bytes.subarray(size + 34)]);
	for (const at of [section, outer]) longer.writeUInt32LE(bytes.readUInt32LE(at) + 1, at);
	longer.writeUInt16LE(33, size);
	bundle.evidence['quote'] = longer.toString('hex');
	const { checks } = await release.verify({ bundle, now: NOW });
	expect(checks.slice(0, 2).map(({ status }) => status)).toEqual(['pass', 'fail']);
	expect(checks[1]!.detail).toContain('its QE authentication data has 33 bytes, not 32');
});

test('what the server says about itself changes nothing', async () => {
	const bundle = goodBundle();
	bundle.evidence['tee'] = 'tdx';
	bundle.evidence['quote_parse'] = { mr_td: '00' };
	expect((await release.verify({ bundle, now: NOW })).overall).toBe('simulated');
});

test.each([['2025-07-01'], ['2025-02-30T00:00:00Z'], ['2025-07-01T00:00:00+02:00'], ['now']])(
	'%j is no time to judge at',
	async (now) => {
		await expect(release.verify({ bundle: goodBundle(), now })).rejects.toThrow('not a time such as');
	}
);

test.each([
	[{ tbc: {} }, '"tbc" is unknown'],
	[{ tcb: { accepted_statuses: ['Revoked'] } }, 'accepted_statuses'],
	[{ platform: { mr_td: [] } }, 'platform.mr_td is []'],
	[{ platform: { mr_td: [''] } }, 'platform.mr_td is [""]'],
	[{ freshness: { max_age_s: 0 } }, 'max_age_s is 0'],
	[{ tcb: { min_pce_svn: '3' } }, 'min_pce_svn is "3"'],
	[{ platform: { mr_service_td: ['aa'] } }, 'platform.mr_service_td is ["aa"]'],
	[{ platform: { mr_service_td: [] } }, 'platform.mr_service_td is []'],
	[{ platform: { mr_service_td: ['00'.repeat(48)] } }, 'none of them zeros'],
	[{ platform: { allow_migration: 1 } }, 'expected true or false'],
	[{ tcb: { min_pce_svn: 2 ** 53 } }, 'min_pce_svn is 9007199254740992']
])('policy %j is refused: %s', async (policy, reason) => {
	await expect(release.verify({ bundle: goodBundle(), now: NOW, policy: policy as never })).rejects.toThrow(reason);
});

test.each([
	['not JSON', '{'],
	['an unknown member', { ...REFERENCES, rtmr: '' }],
	['an empty platform value', { ...REFERENCES, platforms: [{ mr_td: '' }] }],
	['another version', { ...REFERENCES, v: 1 }],
	['a release that says something unknown', { ...REFERENCES, release: { color: 'red' } }],
	['a release that is no text', { ...REFERENCES, release: { version: 1 } }]
])('references with %s fail, and do not match in silence', async (_, references) => {
	const report = await testRoot.verify({ bundle: goodBundle(), now: NOW, references });
	expect(report.overall).toBe('not-acceptable');
	expect(report.checks.find((check) => check.id === 'release.match')!.detail).toContain('cannot be used');
});

const passing = (): Check[] =>
	CHECK_IDS.map((id) => ({ id, status: 'pass', title: '', detail: '', key: '', params: {} }));

test('a verdict that is not whole is never green', () => {
	expect(shield({ checks: passing() })).toBe('green');
	expect(shield({ checks: passing().slice(1) })).toBe('red');
	expect(shield({ checks: passing().slice(0, 5) })).toBe('red');
	expect(shield({ checks: passing().reverse() })).toBe('red');
	expect(shield({ checks: [] })).toBe('red');
});

test.each(CHECK_IDS)('%s: skipped is no pass, but for the service; unknown is none', (id) => {
	const checks = passing();
	const check = checks.find((one) => one.id === id)!;
	check.status = 'skipped';
	expect(overall(checks)).toBe(id === 'service.token' ? 'verified' : 'incomplete');
	check.status = 'unknown' as never;
	expect(overall(checks)).toBe('incomplete');
	check.status = 'fail';
	expect(shield({ checks })).toBe(id === 'tee.real' ? 'amber' : 'red');
});

test('every sentence ends as one, and has a title', () => {
	for (const [key, text] of Object.entries(messages)) {
		if (key.endsWith('.title')) expect(text, key).toMatch(/[a-z]$/);
		else expect(text, key).toMatch(/(\.|\}\})$/);
	}
	for (const id of CHECK_IDS) expect(messages).toHaveProperty([`tee.check.${id}.title`]);
});

test('a proof of 10 MB is refused before any of its hashes is looked at', async () => {
	const bundle = goodBundle();
	bundle.evidence['proof'] = { index: 0, size: 1, path: Array.from({ length: 160_000 }, () => 'x'.repeat(64)) };
	const { checks } = await testRoot.verify({ bundle, now: NOW });
	const { key, detail } = checks.find(({ id }) => id === 'binding.nonce')!;
	expect([key, detail]).toEqual([
		'tee.check.binding.nonce.proof',
		'The proof for the nonce that was sent cannot be used: its path is no list of at most 16 hashes.'
	]);
	await expect(testRoot.verify({ bundle: JSON.stringify(bundle), now: NOW })).resolves.toMatchObject({
		checks: [{ id: 'quote.format', status: 'fail' }, ...checks.slice(1).map(() => ({ status: expect.any(String) as string }))]
	});
});

test('an older server is named as such', async () => {
	const bundle = goodBundle();
	bundle.evidence['runtime_data'] = { v: 1, nonce: bundle.nonce };
	const { checks } = await testRoot.verify({ bundle, now: NOW });
	expect(checks.find(({ id }) => id === 'binding.nonce')!.detail).toBe(
		"The runtime data cannot be read: it is of version 1: the server is of an older release; update it, or judge it with that release's verifier."
	);
});
