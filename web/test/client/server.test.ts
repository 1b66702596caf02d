/** The three attestation endpoints: what is asked, and what every way to fail is called. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { asConfig, maxAge, strictest, type TeeConfig } from '../../src/client/config.js';
import { trouble, TROUBLES } from '../../src/client/locked.js';
import { attach } from '../../src/client/page.js';
import { getCollateral, getConfig, getEvidence } from '../../src/client/server.js';
import { CONFIG, host, json, QUOTE } from './standing-in.js';

const DOOR = join(import.meta.dirname, '../../../door');
const send = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();

beforeEach(() => {
	attach(host({ api: 'https://chat.example/api/v1' }));
	vi.stubGlobal('fetch', send);
});
afterEach(() => vi.unstubAllGlobals());

test('nobody is named, nothing is cached', async () => {
	send.mockImplementation(() => Promise.resolve(json(QUOTE)));
	expect(await getEvidence('n'.repeat(43))).toEqual(QUOTE);
	const [url, init] = send.mock.calls[0]!;
	expect(url).toBe(`https://chat.example/api/v1/tee/quote?nonce=${'n'.repeat(43)}`);
	expect(init).toMatchObject({ cache: 'no-store', credentials: 'omit' });
	expect(init.signal).toBeInstanceOf(AbortSignal);
	await getCollateral();
	expect(send.mock.lastCall![0]).toBe('https://chat.example/api/v1/tee/collateral');
});

test.each<[string, () => Promise<Response>, string]>([
	['429, of a proxy', () => Promise.resolve(json({}, 429, { 'Retry-After': '7' })), 'The server was asked too often; try again in 7 s.'],
	['429 without a time', () => Promise.resolve(json({}, 429)), 'The server was asked too often; try again in 60 s.'],
	['404', () => Promise.resolve(json({}, 404)), 'This server offers no attestation.'],
	['503', () => Promise.resolve(json({ detail: 'The device is gone.' }, 503)), 'The server has no evidence to give now: The device is gone.'],
	['500 in HTML', () => Promise.resolve(new Response('<html>', { status: 500, statusText: 'Oops' })), 'The server answered with status 500: Oops'],
	['200 in HTML', () => Promise.resolve(new Response('<html>')), 'The server answered something that is not JSON.'],
	['200, null', () => Promise.resolve(json(null)), 'The server answered something that is not JSON.'],
	['no quote', () => Promise.resolve(json({ quote: 7 })), 'The server answered without a quote.'],
	['10 MB', () => Promise.resolve(json({ proof: { path: ['x'.repeat(10_000_000)] } })), 'The server answered with more than 1048576 bytes.'],
	['silence', () => Promise.reject(new DOMException('', 'TimeoutError')), 'The server did not answer within 20 seconds.'],
	['no connection', () => Promise.reject(new TypeError('failed')), 'The server could not be reached.']
])('%s', async (_, answer, sentence) => {
	send.mockImplementation(answer);
	await expect(getEvidence('n')).rejects.toMatchObject({ message: sentence });
});

test.each<[Partial<Record<keyof TeeConfig, unknown>>, object]>([
	[{}, CONFIG],
	[{ gate: 'open' }, { gate: 'block' }],
	[{ gate: undefined }, { gate: 'block' }],
	[{ max_age_s: 'soon' }, { max_age_s: 300 }],
	[{ max_age_s: -1 }, { max_age_s: 300 }],
	[{ max_age_s: 1e9 }, { max_age_s: 3600 }],
	[{ max_age_s: '60' }, { max_age_s: 60 }]
])('settings with %j are read safely', async (change, expected) => {
	send.mockResolvedValue(json({ ...CONFIG, ...change }));
	expect(await getConfig()).toEqual({ ...CONFIG, ...expected });
});

test.each<[string, () => Promise<Response>, string | null]>([
	['denied', () => Promise.resolve(json({ trouble: 'denied' })), 'The Trustee that keeps its key does not release it to what runs here.'],
	['nothing said', () => Promise.resolve(json({ trouble: '' })), null],
	['a word that nobody knows', () => Promise.resolve(json({ trouble: 'constructor' })), null],
	['no word', () => Promise.resolve(json({ trouble: ['denied'] })), null],
	['a service that is open', () => Promise.resolve(json({}, 404)), null],
	['no connection', () => Promise.reject(new TypeError('failed')), null]
])('why it is locked: %s', async (_, answer, sentence) => {
	send.mockImplementation(answer);
	expect((await trouble())?.text ?? null).toBe(sentence);
	expect(send.mock.lastCall![0]).toBe('https://chat.example/api/v1/tee/unlock');
});

test('there is a sentence for every word that the door says', () => {
	const door = ['key_broker.py', 'granting.py'].map((name) => readFileSync(join(DOOR, name), 'utf8')).join('');
	const said = ['unreachable', 'denied', 'nothing', 'useless', 'understood', 'unasked'];
	for (const word of said) expect(door).toContain(`"${word}"`);
	expect([...TROUBLES.keys()]).toEqual(said);
});

test('what was never said counts as usual, and what nobody knows as strictest', () => {
	expect([maxAge(null), strictest(null, null)]).toEqual([300, 'warn']);
	expect(strictest(asConfig({ ...CONFIG, gate: 'off' } as TeeConfig), 'odd' as never)).toBe('off');
	expect(strictest({ ...CONFIG, gate: 'block' } as TeeConfig, null)).toBe('block');
});
