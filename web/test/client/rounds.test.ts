/** Rounds: a fresh nonce each, the newest alone sets the verdict, and no verdict outlives what it was about. */

import { get } from 'svelte/store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { english } from '../../src/shared/sentence.js';
import type { Report, VerifyInput } from '../../src/verifier.js';
import { CONFIG, FORGED, GREEN, host, json, QUOTE, SIMULATED, settle } from './standing-in.js';

type Answers = Record<'quote' | 'collateral' | 'config' | 'boot-log', () => Response | Promise<Response>>;
const asked: string[] = [];
const nonces: string[] = [];
const judged: VerifyInput[] = [];
let answers: Answers;
let verdict: () => Report | Promise<Report>;

vi.mock('../../src/client/engine.js', () => ({
	warmUp: () => undefined,
	ask: async (method: string, [input]: [VerifyInput]) => {
		expect(method).toBe('verify');
		judged.push(input);
		return await verdict();
	}
}));

async function opened() {
	vi.resetModules();
	const rounds = await import('../../src/client/rounds.js');
	const { attach } = await import('../../src/client/page.js');
	attach(host());
	return rounds;
}

beforeEach(() => {
	vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z') });
	for (const name of ['groupCollapsed', 'groupEnd', 'table', 'info', 'log', 'warn'] as const)
		vi.spyOn(console, name).mockImplementation(() => undefined);
	localStorage.clear();
	nonces.length = judged.length = asked.length = 0;
	verdict = () => GREEN;
	answers = {
		quote: () => json(QUOTE),
		collateral: () => json({ tcb_info: '{}' }),
		config: () => json(CONFIG),
		'boot-log': () => json({ boot_log: 'AAAA' })
	};
	vi.stubGlobal('fetch', (url: string) => {
		const [, name, , nonce] = /\/tee\/([\w-]+)(\?nonce=(.+))?$/.exec(url)!;
		asked.push(name!);
		if (nonce) nonces.push(nonce);
		return Promise.resolve(answers[name as keyof Answers]());
	});
});
afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

test('a round judges what the server answers to a nonce of its own, and nothing else', async () => {
	const { startRound, state, shieldOf, mayTrust } = await opened();
	expect(shieldOf(get(state))).toBe('red');
	await startRound();
	const now = get(state);
	expect([now.phase, shieldOf(now), mayTrust(now)]).toEqual(['done', 'green', true]);
	const bundle = { v: 1, time: '2026-01-01T00:00:00.000Z', nonce: nonces[0], connected: { origin: location.origin } };
	expect(judged).toEqual([
		{ bundle: { ...bundle, evidence: QUOTE, collateral: { tcb_info: '{}' }, service_tokens: [] } }
	]);
	expect(nonces[0]).toMatch(/^[\w-]{43}$/);
	await startRound();
	expect(new Set(nonces).size).toBe(2);
});

test('what the person loaded, trusted and saw takes part', async () => {
	const { startRound } = await opened();
	const trusted = { v: 1, time: '2026-01-01T00:00:00Z', platform: {}, events: [] };
	localStorage.setItem('tee-memory', JSON.stringify({ v: 1, references: { v: 1, events: [] }, trusted }));
	await startRound();
	expect(judged[0]).toMatchObject({ references: { v: 1, events: [] }, trusted });
	expect(judged[0]).not.toHaveProperty('seen.intel');
	await startRound();
	expect(judged[1]!.seen).toEqual(GREEN.seen);
});

test('a browser that keeps nothing still gets its verdict', async () => {
	const { startRound, state } = await opened();
	vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
		throw new DOMException('full', 'QuotaExceededError');
	});
	await startRound();
	vi.mocked(Storage.prototype.setItem).mockRestore();
	expect(get(state).phase).toBe('done');
});

test.each<[string, () => void, string]>([
	['the server has none', () => (answers.quote = () => json({}, 404)), 'This server offers no attestation.'],
	[
		'the server cannot be reached',
		() => (answers.quote = () => Promise.reject(new TypeError())),
		'The server could not be reached.'
	],
	[
		'the verifier throws',
		() => (verdict = () => Promise.reject(new Error('out of memory'))),
		'The check failed: out of memory'
	]
])('no verdict, and why: %s', async (_, spoil, sentence) => {
	const { startRound, state, shieldOf, mayTrust } = await opened();
	await startRound();
	spoil();
	await startRound();
	const now = get(state);
	expect([now.phase, shieldOf(now), mayTrust(now), now.report]).toEqual(['failed', 'red', false, null]);
	expect(english(now.failure!)).toBe(sentence);
});

test('collateral or settings that are missing stop no round', async () => {
	const { startRound, state, config } = await opened();
	answers.collateral = () => json({ detail: 'The PCCS sent no readable tcb_info.' }, 502);
	answers.config = () => json({}, 500);
	await startRound();
	const now = get(state);
	expect([now.phase, get(config)]).toEqual(['done', null]);
	expect(english(now.collateralFailure!)).toContain('The PCCS sent no readable tcb_info.');
	expect(judged[0]!.bundle).toMatchObject({ collateral: null });
});

test('a verdict is forgotten before the next round begins', async () => {
	const { startRound, state, shieldOf } = await opened();
	await startRound();
	const next = startRound();
	expect([get(state).phase, get(state).report, shieldOf(get(state))]).toEqual(['checking', null, 'red']);
	await next;
});

test('a slow answer to an old round changes nothing, and who waited for it gets the newer', async () => {
	const { startRound, state } = await opened();
	let late: (response: Response) => void = () => undefined;
	answers.quote = () => new Promise((resolve) => (late = resolve));
	const old = startRound();
	answers.quote = () => json({ detail: 'Out of order.' }, 503);
	await startRound();
	expect(get(state).phase).toBe('failed');
	late(json(QUOTE));
	await old;
	await settle();
	expect([get(state).phase, get(state).report]).toEqual(['failed', null]);
	expect(localStorage.getItem('tee-memory')).toBe(null);
});

test('a New Chat forgets the verdict at once, and two in a row are one round', async () => {
	const { newChat, newChats, startRound, state } = await opened();
	await startRound();
	newChat();
	expect([get(state).phase, get(state).report]).toEqual(['checking', null]);
	newChat();
	await settle();
	expect([get(state).phase, nonces.length, get(newChats)]).toEqual(['done', 2, 2]);
});

test('the first round is run once', async () => {
	const { ensureRound, state } = await opened();
	ensureRound();
	ensureRound();
	await settle();
	ensureRound();
	await settle();
	expect([get(state).phase, nonces.length]).toEqual(['done', 1]);
});

/** How many rounds `freshState` has to run after `wait` seconds. */
async function roundsAfter(wait: number, rounds: Awaited<ReturnType<typeof opened>>) {
	const before = nonces.length;
	vi.setSystemTime(Date.now() + wait * 1000);
	await rounds.freshState();
	return nonces.length - before;
}

test('a verdict is relied on as long as the server proposes, but at most an hour', async () => {
	const rounds = await opened();
	await rounds.freshState();
	expect(nonces.length).toBe(1);
	expect(await roundsAfter(299, rounds)).toBe(0);
	answers.config = () => json({ ...CONFIG, max_age_s: 1e9 });
	expect(await roundsAfter(2, rounds)).toBe(1);
	expect(await roundsAfter(3599, rounds)).toBe(0);
	answers.config = () => json({ ...CONFIG, max_age_s: 2 });
	expect(await roundsAfter(2, rounds)).toBe(1);
	expect(await roundsAfter(3, rounds)).toBe(1);
});

test('a clock that was set back makes a verdict old', async () => {
	const rounds = await opened();
	await rounds.startRound();
	expect(await roundsAfter(-60, rounds)).toBe(1);
});

test('a failed round is repeated after seconds, not minutes', async () => {
	const rounds = await opened();
	answers.quote = () => json({}, 503);
	await rounds.startRound();
	expect(await roundsAfter(4, rounds)).toBe(0);
	answers.quote = () => json(QUOTE);
	expect(await roundsAfter(2, rounds)).toBe(1);
	expect(rounds.shieldOf(get(rounds.state))).toBe('green');
});

test('a connection that broke makes the verdict old, until the next round', async () => {
	const rounds = await opened();
	await rounds.startRound();
	rounds.distrust();
	verdict = () => FORGED;
	expect(rounds.shieldOf(await rounds.freshState())).toBe('red');
	expect(await roundsAfter(1, rounds)).toBe(0);
});

test('a connection that is back is judged by itself, once', async () => {
	const rounds = await opened();
	await rounds.startRound();
	await rounds.reconnected(true);
	expect(nonces.length, 'nothing broke').toBe(1);
	rounds.distrust();
	expect(rounds.isFresh()).toBe(false);
	verdict = () => FORGED;
	await Promise.all([rounds.reconnected(), rounds.reconnected(true), rounds.reconnected(true)]);
	expect([nonces.length, rounds.shieldOf(get(rounds.state)), rounds.isFresh()]).toEqual([2, 'red', true]);
});

test('a round since the connection broke is enough when it is back, but for one that failed', async () => {
	const rounds = await opened();
	await rounds.startRound();
	rounds.distrust();
	await rounds.freshState();
	await rounds.reconnected(true);
	expect(nonces.length, 'who was about to send had it judged already').toBe(2);
	rounds.distrust();
	answers.quote = () => Promise.reject(new TypeError());
	await rounds.freshState();
	await rounds.reconnected();
	expect(nonces.length, 'a poll that succeeds asks for no more').toBe(3);
	answers.quote = () => json(QUOTE);
	await rounds.reconnected(true);
	expect([nonces.length, rounds.shieldOf(get(rounds.state))]).toEqual([4, 'green']);
});

test('a connection that is back while a round runs is judged again if that round fails or the connection broke in it', async () => {
	const rounds = await opened();
	for (const fails of [true, false]) {
		const before = nonces.length;
		answers.quote = () => (fails ? Promise.reject(new TypeError()) : json(QUOTE));
		const running = rounds.startRound();
		if (!fails) rounds.distrust();
		answers.quote = () => json(QUOTE);
		await Promise.all([running, rounds.reconnected(true)]);
		expect([nonces.length - before, rounds.shieldOf(get(rounds.state))], String(fails)).toEqual([2, 'green']);
	}
});

test('whoever asks while a round runs, or is due, waits for it', async () => {
	const { freshState, newChat, startRound } = await opened();
	verdict = () => SIMULATED;
	void startRound();
	expect((await freshState()).report).toBe(SIMULATED);
	newChat();
	expect((await freshState()).report).toBe(SIMULATED);
	expect(nonces.length).toBe(2);
});

const naming = (boot_events?: object) =>
	localStorage.setItem('tee-memory', JSON.stringify({ v: 1, references: { v: 2, platforms: [boot_events ? { boot_events } : {}] } }));

test('the boot log is asked for where events of the boot are held, and becomes part of the bundle', async () => {
	const { startRound } = await opened();
	naming();
	await startRound();
	expect(asked).not.toContain('boot-log');
	naming({});
	await startRound();
	expect(asked).toContain('boot-log');
	expect(judged.map(({ bundle }) => (bundle as { evidence: object }).evidence)).toEqual([
		QUOTE,
		{ ...QUOTE, boot_log: 'AAAA' }
	]);
});

test.each<[string, () => Response]>([
	['a machine without one', () => json({ detail: 'none' }, 404)],
	['10 MB', () => json({ boot_log: 'x'.repeat(10_000_000) })],
	['no text', () => json({ boot_log: 7 })],
	['HTML', () => new Response('<html>')]
])('without a boot log a round is what it is without: %s', async (_, answer) => {
	const { startRound, state } = await opened();
	naming({});
	answers['boot-log'] = answer;
	await startRound();
	expect(get(state).phase).toBe('done');
	expect((judged[0]!.bundle as { evidence: object }).evidence).toEqual(QUOTE);
});
