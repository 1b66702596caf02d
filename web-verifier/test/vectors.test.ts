/** Every shared vector gets its verdict, from the very files that a release ships: see tests/vectors/README.md. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadRelease, loadTestRoot, readCase, resolve, VECTORS, type Case } from './helpers.js';

const release = await loadRelease();
const testRoot = await loadTestRoot();

function inputOf(vector: Case) {
	const { references, policy, services, seen } = resolve(vector.options ?? {}) as Record<string, never>;
	const chosen = (services ?? []) as { service: 'alibaba' | 'trustee'; url: string; keys: { keys: [] } }[];
	return {
		now: vector.now,
		references: references && (references as unknown[]).length > 0 ? references : undefined,
		policy,
		service: chosen.map(({ service, url, keys }) => ({ kind: service, url, jwks: keys })),
		seen: seen && { intel: seen, simulator: seen }
	};
}

async function judge(vector: Case) {
	const api = vector.options?.['test_root_is_genuine'] === true ? testRoot : release;
	const input = inputOf(vector);
	const bare = resolve(vector.bare) as Case['bare'];
	if (bare) return api.verifyQuote(bare.quote, bare.collateral, input);
	return api.verify({ ...input, bundle: (vector.bundle_text ?? resolve(vector.bundle)) as never });
}

const names = readdirSync(join(VECTORS, 'cases'))
	.map((file) => file.replace(/\.json$/, ''))
	.sort();

test('there are vectors', () => expect(names.length).toBeGreaterThan(200));

describe('the shared vectors', () => {
	test.each(names)('%s', async (name) => {
		const vector = readCase(name);
		const verdict = await judge(vector);
		const actual = Object.fromEntries(verdict.checks.map(({ id, status }) => [id, status]));
		const details = JSON.stringify(
			verdict.checks.map(({ id, detail }) => [id, detail]),
			null,
			1
		);
		expect(actual, details).toEqual(vector.expect.checks);
		expect(verdict.overall, details).toBe(vector.expect.overall);
		for (const check of verdict.checks) expect(check.detail, check.id).not.toMatch(/\{\{|undefined|\[object/);
	});
});
