/** May content leave now? Every gate with every verdict, and how long a person's word holds. */

import { get } from 'svelte/store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Gate } from '../../src/client/config.js';
import type { Report } from '../../src/verifier.js';
import { CONFIG, FORGED, GREEN, host, REFUSED, report, SIMULATED, WARNED } from './standing-in.js';

/** The modules anew, with a round that has just ended in `verdict`, or in a failure. */
async function opened(gate: Gate | null, verdict: Report | null, change: Parameters<typeof host>[0] = {}) {
	vi.resetModules();
	const rounds = await import('../../src/client/rounds.js');
	const { NOTHING } = await import('../../src/client/state.js');
	const { attach } = await import('../../src/client/page.js');
	const gates = await import('../../src/client/gate.js');
	const { remember } = await import('../../src/client/memory.js');
	const page = host(change);
	attach(page);
	if (gate) rounds.config.set({ ...CONFIG, gate } as never);
	const ended = { ...NOTHING, finishedAt: Date.now(), report: verdict };
	rounds.state.set({ ...ended, phase: verdict ? 'done' : 'failed' });
	return { page, rounds, remember, ...gates };
}

beforeEach(() => {
	vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z') });
	localStorage.clear();
	history.replaceState(null, '', '/');
});
afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

const VERDICTS: [string, Report | null, green: boolean][] = [
	['green', GREEN, true],
	['green without a service', report({ 'service.token': 'skipped' }), true],
	['a warning', WARNED, false],
	['simulated', SIMULATED, false],
	['not acceptable', REFUSED, false],
	['not genuine', FORGED, false],
	['no verdict at all', null, false],
	['a report that says verified and lacks a check', { ...GREEN, checks: GREEN.checks.slice(1) }, false],
	['a report that says verified and holds a failure', { ...FORGED, overall: 'verified' }, false]
];

test.each(VERDICTS)('off lets everything leave: %s', async (_, verdict) => {
	const { mayLeave, page } = await opened('off', verdict);
	expect([await mayLeave(), page.ask.mock.calls.length, page.refuse.mock.calls.length]).toEqual([true, 0, 0]);
});

test.each(VERDICTS)('block lets only green leave, and says why not: %s', async (_, verdict, green) => {
	const { mayLeave, page, rounds } = await opened('block', verdict);
	expect(await mayLeave()).toBe(green);
	expect(page.ask).not.toHaveBeenCalled();
	expect(page.refuse.mock.calls).toEqual(green ? [] : [[get(rounds.state), 'message']]);
});

test.each(VERDICTS)('warn asks unless it is green: %s', async (_, verdict, green) => {
	for (const yes of [false, true]) {
		const { mayLeave, page } = await opened('warn', verdict, { ask: vi.fn(() => Promise.resolve(yes)) });
		expect(await mayLeave()).toBe(green || yes);
		expect(page.ask).toHaveBeenCalledTimes(green ? 0 : 1);
		expect(page.refuse).not.toHaveBeenCalled();
	}
});

test('a server that never answered how it is set up counts as warn', async () => {
	const { gateInForce, mayLeave, page } = await opened(null, SIMULATED);
	expect([gateInForce(), await mayLeave()]).toEqual(['warn', false]);
	expect(page.ask).toHaveBeenCalledTimes(1);
});

test.each<[Gate, Gate | null, Gate]>([
	['off', null, 'off'],
	['off', 'warn', 'warn'],
	['off', 'block', 'block'],
	['warn', 'off', 'warn'],
	['warn', 'block', 'block'],
	['block', 'off', 'block'],
	['block', 'warn', 'block']
])('the server says %s, the person %s: %s holds', async (server, own, expected) => {
	const { gateInForce, remember } = await opened(server, SIMULATED);
	remember({ gate: own });
	expect(gateInForce()).toBe(expected);
});

const yes = () => ({ ask: vi.fn(() => Promise.resolve(true)) });

test('a yes holds for its chat and no other', async () => {
	let chat = 'a';
	const { mayLeave, page } = await opened('warn', SIMULATED, { ...yes(), chat: () => chat });
	expect([await mayLeave(), await mayLeave()]).toEqual([true, true]);
	expect(page.ask).toHaveBeenCalledTimes(1);
	chat = 'b';
	await mayLeave();
	expect(page.ask).toHaveBeenCalledTimes(2);
	chat = 'a';
	await mayLeave();
	expect(page.ask).toHaveBeenCalledTimes(2);
});

test('a yes in a new chat goes with it once it is named, and a New Chat asks anew', async () => {
	let chat = '';
	const { chatNamed, mayLeave, page, rounds } = await opened('warn', SIMULATED, { ...yes(), chat: () => chat });
	chatNamed('never-agreed-to');
	await mayLeave();
	chatNamed('a');
	chat = 'a';
	await mayLeave();
	expect(page.ask).toHaveBeenCalledTimes(1);
	chat = 'never-agreed-to';
	await mayLeave();
	expect(page.ask).toHaveBeenCalledTimes(2);
	chat = 'local'; // a temporary chat has no name of its own
	rounds.newChats.update((n) => n + 1);
	await mayLeave();
	expect(page.ask).toHaveBeenCalledTimes(3);
});

test('a yes on a page that is no chat holds for that page', async () => {
	const { mayLeave, page } = await opened('warn', SIMULATED, { ...yes(), chat: () => 'a' });
	for (const [path, asked] of [
		['/playground', 1],
		['/playground', 1],
		['/channels/x', 2],
		['/c/a', 3],
		['/', 3]
	] as const) {
		history.replaceState(null, '', path);
		await mayLeave();
		expect(page.ask, path).toHaveBeenCalledTimes(asked);
	}
});

test('what asks at the same time is asked once, and a no holds a moment for what the same click sends', async () => {
	let answer: (yes: boolean) => void = () => undefined;
	const ask = vi.fn(() => new Promise<boolean>((resolve) => (answer = resolve)));
	const { mayLeave } = await opened('warn', SIMULATED, { ask });
	const both = Promise.all([mayLeave(), mayLeave()]);
	await vi.advanceTimersByTimeAsync(0);
	answer(false);
	expect(await both).toEqual([false, false]);
	expect(await mayLeave()).toBe(false);
	expect(ask).toHaveBeenCalledTimes(1);
	vi.advanceTimersByTime(1501);
	const later = mayLeave();
	await vi.advanceTimersByTimeAsync(0);
	expect(ask).toHaveBeenCalledTimes(2);
	answer(true);
	expect(await later).toBe(true);
});

test('a second Enter while the first is being decided sends nothing', async () => {
	let answer: (yes: boolean) => void = () => undefined;
	const { mayBeSent } = await opened('warn', SIMULATED, {
		ask: () => new Promise<boolean>((resolve) => (answer = resolve))
	});
	const first = mayBeSent();
	expect(await mayBeSent()).toBe(false);
	answer(true);
	await vi.advanceTimersByTimeAsync(0);
	answer(true);
	expect(await first).toBe(true);
	expect(await mayBeSent()).toBe(true);
});

/** A round that runs until `end` is called. */
async function running(gate: Gate, change: Parameters<typeof host>[0] = {}) {
	const done = vi.fn();
	const found = await opened(gate, SIMULATED, { wait: () => done, ...change });
	const { rounds } = found;
	const { NOTHING } = await import('../../src/client/state.js');
	vi.stubGlobal('fetch', () => new Promise(() => undefined)); // the round itself never ends
	vi.stubGlobal('Worker', function Silent() {});
	void rounds.startRound();
	const end = (verdict: Report) => rounds.state.set({ ...NOTHING, phase: 'done', report: verdict, finishedAt: Date.now() });
	return { ...found, done, end };
}

test('whoever sends during a check is told so at once, and may choose after three seconds', async () => {
	const { mayLeave, page, done } = await running('warn', yes());
	const answer = mayLeave();
	await vi.advanceTimersByTimeAsync(2999);
	expect([page.wait.mock.calls, page.ask.mock.calls.length, done.mock.calls.length]).toEqual([[['message']], 0, 0]);
	await vi.advanceTimersByTimeAsync(1);
	expect([page.ask.mock.calls.length, done.mock.calls.length]).toEqual([1, 1]);
	expect(await answer).toBe(true);
});

test('a verdict that turns green while the question stands is no consent to another verdict', async () => {
	let answer: (yes: boolean) => void = () => undefined;
	const { mayLeave, page, end, rounds } = await running('warn', {
		ask: () => new Promise<boolean>((resolve) => (answer = resolve))
	});
	const first = mayLeave();
	await vi.advanceTimersByTimeAsync(3000);
	end(GREEN);
	answer(true);
	expect(await first).toBe(true);
	rounds.state.set({ ...get(rounds.state), report: SIMULATED });
	void mayLeave();
	await vi.advanceTimersByTimeAsync(3000);
	expect(page.ask).toHaveBeenCalledTimes(2);
});

test('two kinds at once are asked one after the other, and a no to the first is a no to both', async () => {
	let answer: (yes: boolean) => void = () => undefined;
	const { mayLeave, page } = await opened('warn', SIMULATED, {
		ask: () => new Promise<boolean>((resolve) => (answer = resolve))
	});
	const [profile, setting] = [mayLeave('text'), mayLeave('settings')];
	await vi.advanceTimersByTimeAsync(0);
	expect(page.ask).toHaveBeenCalledTimes(1);
	answer(false);
	expect([await profile, await setting, page.ask.mock.calls.length]).toEqual([false, false, 1]);
});

test('where nothing may leave without a verdict nobody is asked, however long it takes', async () => {
	const { mayLeave, page } = await running('block');
	const answer = vi.fn();
	void mayLeave().then(answer);
	await vi.advanceTimersByTimeAsync(60_000);
	expect([answer.mock.calls.length, page.ask.mock.calls.length]).toEqual([0, 0]);
});

test('where everything may leave nobody waits longer than that for a check', async () => {
	const { mayLeave, page } = await running('off');
	const answer = mayLeave();
	await vi.advanceTimersByTimeAsync(3000);
	expect([await answer, page.ask.mock.calls.length]).toEqual([true, 0]);
});

test('a fresh verdict keeps nobody waiting', async () => {
	const { mayLeave, page } = await opened('off', GREEN);
	await mayLeave();
	expect(page.wait).not.toHaveBeenCalled();
});

test('a yes to a message is none to a password or a setting', async () => {
	const { mayLeave, page } = await opened('warn', SIMULATED, yes());
	for (const kind of ['message', 'file', 'recording', 'password', 'password', 'settings', 'text', 'message'] as const)
		await mayLeave(kind);
	expect(page.ask.mock.calls.map(([, kind]) => kind)).toEqual(['message', 'password', 'settings', 'text']);
});
