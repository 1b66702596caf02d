/** Evidence as files: one that was opened changes neither memory nor shield; one that is saved is the verifier's text. */

import { get } from 'svelte/store';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Evidence } from '../../src/shared/evidence.js';
import { GREEN, REFUSED } from './standing-in.js';

const BUNDLE = { v: 1, time: '2025-07-01T12:00:00.5Z', nonce: 'n' } as unknown as Evidence;
const ask = vi.fn<(method: string, params: unknown[]) => Promise<unknown>>();
vi.mock('../../src/client/engine.js', () => ({
	ask: (method: string, params: unknown[]) => ask(method, params),
	warmUp: () => undefined
}));
const { checkFile, opened, saveBundle } = await import('../../src/client/files.js');
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
	await checkFile('text');
	expect(ask.mock.calls).toEqual([
		['readBundle', ['text']],
		['verify', [{ bundle: BUNDLE, now: BUNDLE.time }]]
	]);
	expect(get(opened)).toMatchObject({ phase: 'done', failure: null, report: REFUSED, bundle: BUNDLE });
	expect(get(state)).toBe(now);
	expect(localStorage).toHaveLength(0);
});

test('a file that is none is refused, and what was shown stays', async () => {
	await checkFile('text');
	const shown = get(opened);
	ask.mockRejectedValue(new Error('no evidence'));
	await expect(checkFile('x')).rejects.toThrow('no evidence');
	expect(get(opened)).toBe(shown);
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
