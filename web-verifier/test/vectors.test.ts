/** Every shared vector gets its verdict, from the very files that a release ships: see tests/vectors/README.md. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HERE } from '../bundling.mjs';
import { CACHE } from './paths.js';

type Api = typeof import('../verifier.js');
interface Case {
	name: string;
	now: string;
	bundle?: unknown;
	bundle_text?: string;
	bare?: { quote: unknown; collateral: unknown };
	options?: Record<string, unknown>;
	expect: { overall: string; checks: Record<string, string> };
}

const FOLDER = join(HERE, '../tests/vectors');
const release = (await import(join(CACHE, 'release/verifier.js'))) as Api;
const testRoot = (await import(join(CACHE, 'test-root/verifier.js'))) as Api;

/** Strings that begin with `@` stand for files: one .json for its value, any others for their joined text. */
function resolve(value: unknown): unknown {
	if (typeof value === 'string' && value.startsWith('@')) {
		const names = value.slice(1).split('@');
		const texts = names.map((name) => readFileSync(join(FOLDER, name), 'utf8').replace(/\n$/, ''));
		return names[0]!.endsWith('.json') ? resolve(JSON.parse(texts[0]!)) : texts.join('');
	}
	if (Array.isArray(value)) return value.map(resolve);
	if (typeof value === 'object' && value !== null)
		return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolve(member)]));
	return value;
}

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

const files = readdirSync(join(FOLDER, 'cases')).sort();

test('there are vectors', () => expect(files.length).toBeGreaterThan(200));

describe.each(files)('%s', (file) => {
	test('gets the expected verdict', async () => {
		const vector = JSON.parse(readFileSync(join(FOLDER, 'cases', file), 'utf8')) as Case;
		const verdict = await judge(vector);
		const actual = Object.fromEntries(verdict.checks.map(({ id, status }) => [id, status]));
		const details = JSON.stringify(verdict.checks.map(({ id, detail }) => [id, detail]), null, 1);
		expect(actual, details).toEqual(vector.expect.checks);
		expect(verdict.overall, details).toBe(vector.expect.overall);
		for (const check of verdict.checks) expect(check.detail, check.id).not.toMatch(/\{\{|undefined|\[object/);
	});
});
