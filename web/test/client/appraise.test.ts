/** What the person holds takes part in the judgement, each for the evidence that they said it of. */

import { expect, test, vi } from 'vitest';
import type { Evidence } from '../../src/shared/evidence.js';

const asked: unknown[][] = [];
vi.mock('../../src/client/engine.js', () => ({
	ask: (method: string, params: unknown[]) => {
		asked.push([method, ...params]);
		return Promise.resolve({ time: '2025-07-01T12:00:00Z' });
	}
}));
const { appraise, appraiseFile } = await import('../../src/client/appraise.js');

const bundle = { v: 1 } as unknown as Evidence;
const nothing = { v: 1, trusted: null, references: null, seen: null, service: null, gate: null, channel: false, administrator: false } as const;
const options = () => asked.at(-1)![1] as Record<string, unknown>;

test('nothing is trusted unless the person said so', async () => {
	await appraise(bundle, { ...nothing }, null);
	expect(options()).toEqual({ bundle });
});

test('whom the person trusts is part of the question', async () => {
	await appraise(bundle, { ...nothing, administrator: true }, null);
	expect(options()['policy']).toEqual({ platform: { trust_administrator: true } });
});

test('but not of evidence from elsewhere', async () => {
	await appraiseFile('{}', { ...nothing, administrator: true });
	expect(options()['policy']).toBeUndefined();
});
