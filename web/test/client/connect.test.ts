/** Through `quote-verifier connect`: its verdict is what the page shows, and nobody but the page's own server says that it is there. */

import { afterEach, expect, test, vi } from 'vitest';
import { judgedByConnect, throughConnect } from '../../src/client/connect.js';
import { stepsOf } from '../../src/client/steps.js';
import { english } from '../../src/shared/sentence.js';
import { CHECK_IDS, shield } from '../../src/shared/verdict.js';
import type { Report } from '../../src/verifier.js';
import { done } from './standing-in.js';

const own = { v: 1, overall: 'incomplete', checks: [], facts: {}, seen: {}, time: '', elapsed_ms: 1 } as unknown as Report;
const checks = (status: string) => CHECK_IDS.map((id) => ({ id, status, title: id, detail: `${id} is so` }));
const answering = (status: number, body: unknown) => vi.fn(async () => new Response(JSON.stringify(body), { status }));

const through = (fetched: typeof fetch, connect = true) => {
	vi.stubGlobal('window', connect ? { quoteVerifierConnect: true } : {});
	vi.stubGlobal('fetch', fetched);
};

afterEach(() => vi.unstubAllGlobals());

test('its verdict takes the place of the page’s own', async () => {
	through(answering(200, { v: 1, overall: 'whatever', checks: checks('pass') }));
	const report = await judgedByConnect(own);
	expect(throughConnect()).toBe(true);
	expect([report.overall, shield(report), report.facts]).toEqual(['verified', 'green', own.facts]);
	expect(report.checks.find(({ id }) => id === 'binding.channel')?.detail).toBe('binding.channel is so');
});

test('what was accepted is called what it is: imitated hardware, and plain text', async () => {
	const accepted = { 'tee.real': ['fail', 'tee.check.tee.real.simulated'], 'data.protected': ['warn', 'tee.check.data.protected.plain'] };
	const told = checks('pass').map((check) => ({ ...check, status: accepted[check.id as 'tee.real']?.[0] ?? 'pass' }));
	const mine = told.map((check) => ({ ...check, key: accepted[check.id as 'tee.real']?.[1] ?? 'mine', params: {} }));
	through(answering(200, { v: 1, overall: 'simulated', checks: told }));
	const report = await judgedByConnect({ ...own, checks: mine } as unknown as Report);
	expect(report.overall).toBe('simulated');
	const steps = stepsOf(done(report));
	expect(steps.map(({ answer }) => answer)).not.toContain('yes');
	expect(steps.map(({ sentence }) => english(sentence)).join()).toMatch(/imitated by software.*plain text/);
	expect(report.checks.filter(({ key }) => key === 'mine')).toEqual([]);
});

test('a list that is not whole is never good', async () => {
	through(answering(200, { v: 1, overall: 'verified', checks: checks('pass').slice(1) }));
	expect(shield(await judgedByConnect(own))).toBe('red');
});

test.each([
	[503, { detail: 'Known software: release differs.' }, 'release differs'],
	[200, {}, 'no evidence'],
	[200, null, 'could not be reached']
])('without a verdict there is none (%s)', async (status, body, sentence) => {
	through(answering(status, body));
	await expect(judgedByConnect(own)).rejects.toThrow(sentence);
});

test('elsewhere nobody is asked', async () => {
	const fetched = answering(200, { checks: checks('pass') });
	through(fetched, false);
	expect(await judgedByConnect(own)).toBe(own);
	expect(fetched).not.toHaveBeenCalled();
});
