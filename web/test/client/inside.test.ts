/** What goes through the encrypted channel, to which key, and what happens where there is none. */

import { beforeEach, expect, test, vi } from 'vitest';
import type { Evidence } from '../../src/shared/evidence.js';
import { toBase64url } from '../../src/shared/bytes.js';
import { english } from '../../src/shared/sentence.js';
import { CONFIG, done, FORGED, GREEN, host, json, QUOTE, REFUSED, report, saying, SIMULATED } from './standing-in.js';

const keyOf = (id: number) => toBase64url(Uint8Array.from([id, 0, 0x20, ...new Uint8Array(32), 0, 4, 0, 1, 0, 2]));
const [KEY, OTHER] = [keyOf(1), keyOf(2)];

const bundle = (channel?: string): Evidence => ({
	v: 1,
	time: '2026-01-01T00:00:00Z',
	nonce: null,
	connected: null,
	evidence: { ...QUOTE, runtime_data: { v: 2, ...(channel !== undefined && { channel }) } },
	collateral: null,
	service_tokens: []
});

let inside: typeof import('../../src/client/inside.js');
let rounds: typeof import('../../src/client/rounds.js');
const answered = vi.fn<(url: string) => Response>();

/** A page that has just been loaded, at a server whose channel is `mode`. */
const load = async (mode?: string, kept?: string) => {
	vi.resetModules();
	localStorage.clear();
	if (kept) localStorage.setItem('tee-memory', kept);
	Reflect.deleteProperty(window, 'quoteVerifierConnect');
	answered.mockReset().mockImplementation((url) => (url.endsWith('/config') ? json({ ...CONFIG, channel: mode }) : json({ detail: 'Gone.' }, 503)));
	vi.stubGlobal('fetch', vi.fn((url: string) => Promise.resolve(answered(url))));
	vi.doMock('../../src/client/engine.js', () => ({ warmUp: () => undefined, ask: () => Promise.reject(new Error('not asked')) }));
	(await import('../../src/client/page.js')).attach(host());
	rounds = await import('../../src/client/rounds.js');
	inside = await import('../../src/client/inside.js');
};
beforeEach(() => load('require'));

const round = (found = GREEN, key?: string) => rounds.state.set(done(found, { bundle: bundle(key), finishedAt: Date.now() }));
const why = (promise: Promise<unknown>) => promise.then(() => '', (error: unknown) => english((error as { clause: Parameters<typeof english>[0] }).clause));

test.each([
	['/api/config', true],
	['/api/v1/chats/new', true],
	['/ws/socket.io/?EIO=4', true],
	['/api/v1/tee/administrator', true],
	['/api/v1/tee/quote?nonce=x', false],
	['/api/v1/tee/config', false],
	['/api/v1/tee/collateral', false],
	['/api/v1/tee/boot-log', false],
	['/api/v1/tee/channel', false],
	['/cache/image/generations/a.png', true],
	['/_app/version.json', false],
	['/static/favicon.png', false],
	['/static/favicon.png?words', true],
	['/static/%2e%2e/api/config', true],
	['/health', true],
	['https://elsewhere.example/api/config', false],
	['blob:http://localhost:3000/api/a', false]
])('%s belongs inside: %s', (path, expected) => {
	expect(inside.belongsInside(new URL(path, location.href))).toBe(expected);
});

test.each([
	['every check passed', GREEN, KEY],
	['it is simulated, and was never anything else', SIMULATED, KEY],
	['it is not acceptable: the gate says what may be sent, the key is its own', REFUSED, KEY],
	['its signature does not hold', FORGED, undefined],
	['it was not made for this nonce', report({ 'binding.nonce': 'fail' }), undefined],
	['it is for another address', report({ 'binding.channel': 'fail' }), undefined]
])('the evidence’s key counts where: %s', (_, found, expected) => {
	expect(inside.provenKey(done(found, { bundle: bundle(KEY) }))).toBe(expected);
});

test('a service that was genuine once is not taken for itself when it is simulated', () => {
	const seen = { tcb_evaluation_data_number: 17, root_ca_crl_number: 1, pck_crl_number: 1 };
	const simulated = saying(SIMULATED, { 'tee.real': { key: 'tee.check.tee.real.simulated' } });
	const now = done(simulated, { bundle: bundle(KEY) });
	expect(inside.provenKey(now)).toBe(KEY);
	localStorage.setItem('tee-memory', JSON.stringify({ v: 1, seen: { intel: seen, simulator: seen } }));
	expect(inside.provenKey(now)).toBeUndefined();
});

test('it is sealed to the proven key, and to the next one once a round proves that', async () => {
	round(GREEN, KEY);
	expect((await inside.channel())?.text).toBe(KEY);
	rounds.state.set({ ...done(GREEN), phase: 'checking' });
	expect((await inside.channel())?.text, 'a round that runs').toBe(KEY);
	rounds.state.set({ ...done(GREEN), phase: 'failed', report: null });
	expect((await inside.channel())?.text, 'a round that failed').toBe(KEY);
	round(GREEN, OTHER);
	expect((await inside.channel())?.text).toBe(OTHER);
});

test('required: nothing goes outside, whatever came of the round', async () => {
	expect(await why(inside.channel())).toBe('The server has no evidence to give now: Gone.');
	round(FORGED, KEY);
	expect(await why(inside.channel())).toBe('Nothing was sent: no evidence proves the key of the encrypted channel.');
	round(GREEN);
	expect(await why(inside.channel())).toMatch(/^Nothing was sent/);
});

test('a server that says nothing, or nonsense, of its channel lets nothing outside', async () => {
	await load('sometimes');
	round(GREEN);
	expect(await why(inside.channel())).toMatch(/^Nothing was sent/);
	await load();
	answered.mockReturnValue(json({}, 502));
	expect(await why(inside.channel())).not.toBe('');
});

test('offered: outside where no evidence proves a key, and never again once one did', async () => {
	await load('offer');
	expect(await inside.channel()).toBeNull();
	round(GREEN, KEY);
	expect((await inside.channel())?.text).toBe(KEY);
	round(FORGED, KEY);
	expect(await why(inside.channel())).toMatch(/^Nothing was sent/);
});

test('the next visit: whoever drops the evidence, or says that there is no channel, gets nothing outside', async () => {
	round(GREEN, KEY);
	for (const mode of ['offer', 'off']) {
		const kept = JSON.stringify({ v: 1, channel: true });
		await load(mode, kept);
		expect(inside.isOff()).toBe(false);
		expect(await why(inside.channel())).toBe('The server has no evidence to give now: Gone.');
		round(FORGED, KEY);
		expect(await why(inside.channel())).toMatch(/^Nothing was sent: this service had an encrypted channel/);
		round(GREEN);
		expect(await inside.channel(), 'proven to be gone').toBeNull();
		expect(inside.isOff()).toBe(mode === 'off');
	}
});

test('what was proven is kept for the next visit', () => {
	round(GREEN, KEY);
	expect(JSON.parse(localStorage.getItem('tee-memory')!)).toMatchObject({ channel: true });
	round(FORGED);
	expect(JSON.parse(localStorage.getItem('tee-memory')!)).toMatchObject({ channel: true });
	round(GREEN);
	expect(JSON.parse(localStorage.getItem('tee-memory')!)).toMatchObject({ channel: false });
});

test('off: nothing waits for a round, and nothing is sealed', async () => {
	await load('off');
	expect(inside.isOff(), 'not known yet').toBe(false);
	expect(await inside.channel()).toBeNull();
	expect(inside.isOff()).toBe(true);
	expect(answered.mock.calls.map(([url]) => url)).toEqual(['/api/v1/tee/config']);
	await load();
	expect(await inside.channel(), 'a door that knows no channel').toBeNull();
});

test('off is only what the server says: a key that evidence proves is used', async () => {
	await load('off');
	round(GREEN, KEY);
	expect((await inside.channel())?.text).toBe(KEY);
});

test('served by quote-verifier connect: that seals, and the page does not', async () => {
	Object.assign(window, { quoteVerifierConnect: {} });
	round(GREEN, KEY);
	expect([await inside.channel(), inside.isOff()]).toEqual([null, true]);
});

test('a key that this page cannot use stops everything', async () => {
	round(GREEN, 'AAAA');
	expect(await why(inside.channel())).toBe('The key of the encrypted channel cannot be used by this version of the page.');
});

test('the key is gone: one round for all who wait, and its key', async () => {
	round(GREEN, KEY);
	const old = (await inside.channel())!;
	const [a, b] = [inside.renewed(old), inside.renewed(old)];
	round(GREEN, OTHER);
	expect([(await a).text, (await b).text]).toEqual([OTHER, OTHER]);
	expect(answered.mock.calls.filter(([url]) => url.includes('/quote')).length).toBe(1);
});

test('the key is said to be gone, and the evidence still names it: somebody lies', async () => {
	round(GREEN, KEY);
	const old = (await inside.channel())!;
	expect(await why(inside.renewed(old))).toMatch(/^The server is said not to hold the key/);
});
