/** What a person accepts is made, compared and refused by the verifier; the page keeps it as it stands. */

import { afterEach, expect, test, vi } from 'vitest';
import type { Evidence } from '../../src/shared/evidence.js';
import type { Snapshot } from '../../src/verifier.js';

const ask = vi.fn<(method: string, params: unknown[]) => Promise<unknown>>();
vi.mock('../../src/client/engine.js', () => ({ ask: (method: string, params: unknown[]) => ask(method, params) }));
const { changesSince, readReferences, snapshot } = await import('../../src/client/trusting.js');

const bundle = { v: 1, nonce: 'n' } as unknown as Evidence;
afterEach(() => {
	vi.useRealTimers();
	ask.mockReset();
});

test('a snapshot is the verifier’s, of this moment', async () => {
	vi.useFakeTimers({ now: new Date('2026-01-01T00:00:00Z') });
	ask.mockResolvedValue('made');
	expect(await snapshot(bundle)).toBe('made');
	expect(ask.mock.calls).toEqual([['trustSnapshot', [bundle, '2026-01-01T00:00:00.000Z']]]);
});

test('evidence that the verifier does not let anybody trust is not trusted', async () => {
	ask.mockRejectedValue(new Error('it is not genuine'));
	await expect(snapshot(bundle)).rejects.toThrow('it is not genuine');
});

test('what differs is the verifier’s to say, with what was trusted first', async () => {
	const trusted = { v: 1 } as unknown as Snapshot;
	ask.mockResolvedValue([{ name: 'mr_td' }]);
	expect(await changesSince(trusted, bundle)).toEqual([{ name: 'mr_td' }]);
	expect(ask.mock.calls).toEqual([['compareTrusted', [trusted, bundle]]]);
});

test('reference values that the verifier reads are kept as the file has them', async () => {
	const text = '{"v": 2, "name": "a", "surprise": [1]}';
	ask.mockResolvedValue({ name: 'a' });
	expect(await readReferences(text)).toEqual({ v: 2, name: 'a', surprise: [1] });
	expect(ask.mock.calls).toEqual([['parseReferences', [text]]]);
});

test('others are refused with the verifier’s sentence', async () => {
	ask.mockRejectedValue(new Error('Reference values: v is 3.'));
	await expect(readReferences('{"v": 3}')).rejects.toThrow('Reference values: v is 3.');
});
