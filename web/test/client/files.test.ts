/** Evidence as files: one that was opened changes neither memory nor shield; one that is saved is the verifier's text. */

import { get } from 'svelte/store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Evidence } from '../../src/shared/evidence.js';
import { RoundError } from '../../src/client/failure.js';
import { english } from '../../src/shared/sentence.js';
import { FORGED, GREEN, REFUSED, SIMULATED, WARNED } from './standing-in.js';

const BUNDLE = { v: 1, time: '2025-07-01T12:00:00.5Z', nonce: 'n' } as unknown as Evidence;
const ask = vi.fn<(method: string, params: unknown[]) => Promise<unknown>>();
vi.mock('../../src/client/engine.js', () => ({
	ask: (method: string, params: unknown[]) => ask(method, params),
	warmUp: () => undefined
}));
const { checkFile, opened, saveBundle, summaryOfFile } = await import('../../src/client/files.js');
const { state } = await import('../../src/client/rounds.js');
const { NOTHING } = await import('../../src/client/state.js');

const made: Blob[] = [];
let clicked: [href: string, download: string][];
beforeEach(() => {
	opened.set(null);
	state.set(NOTHING);
	made.length = 0;
	clicked = [];
	ask.mockImplementation((method) => Promise.resolve({ readBundle: BUNDLE, verify: REFUSED, writeBundle: '{"v": 1}' }[method]));
	vi.stubGlobal('URL', {
		createObjectURL: (blob: Blob) => `blob:${made.push(blob)}`,
		revokeObjectURL: vi.fn()
	});
	vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
		clicked.push([this.href, this.download]);
	});
});
afterEach(() => {
	vi.restoreAllMocks();
	vi.unstubAllGlobals();
	ask.mockReset();
	localStorage.clear();
});

test('a file is judged at its own time and shown beside the server’s verdict', async () => {
	const now = { ...NOTHING, phase: 'done' as const, report: GREEN };
	state.set(now);
	await checkFile('a.json', 'text');
	expect(ask.mock.calls).toEqual([
		['readBundle', ['text']],
		['verify', [{ bundle: BUNDLE, now: BUNDLE.time }]]
	]);
	expect(get(opened)).toMatchObject({ phase: 'done', failure: null, report: REFUSED, bundle: BUNDLE });
	expect(get(state)).toBe(now);
	expect(localStorage).toHaveLength(0);
});

test('a broken file takes the place of the one before it, and says its name', async () => {
	await checkFile('good.json', 'text');
	ask.mockRejectedValue(new RoundError('The verifier gave up: {{reason}}', { reason: 'it is empty' }));
	await checkFile('holiday.json', '{}');
	const now = get(opened)!;
	expect([now.phase, now.report, now.bundle]).toEqual(['failed', null, null]);
	expect(english(summaryOfFile(now))).toBe(
		'“holiday.json” is not evidence, or it is damaged: The verifier gave up: it is empty'
	);
});

test.each([GREEN, WARNED, SIMULATED, REFUSED, FORGED])('a file is never called this server: $overall', async (found) => {
	ask.mockImplementation((method) => Promise.resolve({ readBundle: BUNDLE, verify: found }[method]));
	await checkFile('a.json', '{}');
	const said = english(summaryOfFile(get(opened)!));
	expect(said).toMatch(/^The evidence in this file/);
	expect(said).not.toMatch(/this (server|service|machine)|\b(my|mine)\b/);
});

test('the evidence on show is saved as the verifier writes it, named by its time', async () => {
	state.set({ ...NOTHING, phase: 'done', report: GREEN, bundle: BUNDLE });
	await saveBundle();
	expect(ask.mock.calls).toEqual([['writeBundle', [BUNDLE]]]);
	expect(clicked).toEqual([['blob:1', 'evidence-2025-07-01T12-00-00-5Z.json']]);
	expect([made[0]!.type, made[0]!.size]).toEqual(['application/json', '{"v": 1}'.length]);
	expect(URL.revokeObjectURL).toHaveBeenCalledWith('blob:1');
});

test('without evidence nothing is saved', async () => {
	await saveBundle();
	expect([ask.mock.calls, clicked]).toEqual([[], []]);
});
