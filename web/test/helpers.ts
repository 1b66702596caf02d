/** The shared vectors' good evidence, for tests that change one thing. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HERE } from '../bundling.mjs';
import type { Report, VerifyInput } from '../src/verifier.js';
import type { Evidence } from '../src/shared/evidence.js';
import type { JsonObject } from '../src/shared/strict-json.js';
import { CACHE } from './paths.js';

export type Api = typeof import('../src/verifier.js');
export interface Case {
	name: string;
	now: string;
	bundle?: unknown;
	bundle_text?: string;
	bare?: { quote: unknown; collateral: unknown };
	options?: Record<string, unknown>;
	expect: { overall: string; checks: Record<string, string>; says?: Record<string, string> };
}

export const VECTORS = join(HERE, '../tests/vectors');
/** The very files that a release, and a test of the green state, load. */
export const loadRelease = async () => (await import(join(CACHE, 'release/verifier.js'))) as Api;
export const loadTestRoot = async () => (await import(join(CACHE, 'test-root/verifier.js'))) as Api;

/** Strings that begin with `@` stand for files: one .json for its value, any others for their joined text. */
export function resolve(value: unknown): unknown {
	if (typeof value === 'string' && value.startsWith('@')) {
		const names = value.slice(1).split('@');
		const texts = names.map((name) => readFileSync(join(VECTORS, name), 'utf8').replace(/\n$/, ''));
		return names[0]!.endsWith('.json') ? resolve(JSON.parse(texts[0]!)) : texts.join('');
	}
	if (Array.isArray(value)) return value.map(resolve);
	if (typeof value === 'object' && value !== null)
		return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolve(member)]));
	return value;
}

/** String literals that begin with `@` inside a JSON text, which stays what it is otherwise. */
const resolveText = (text: string): string =>
	text.replace(/"(@[^"]+)"/g, (_, name: string) => JSON.stringify(resolve(name)));

export function readCase(name: string): Case {
	return JSON.parse(readFileSync(join(VECTORS, 'cases', `${name}.json`), 'utf8')) as Case;
}

/** Every shared vector, by name. */
export const vectorNames = readdirSync(join(VECTORS, 'cases'))
	.map((file) => file.replace(/\.json$/, ''))
	.sort();

function inputOf(vector: Case) {
	const { references, policy, services, seen } = resolve(vector.options ?? {}) as Record<string, never>;
	const chosen = (services ?? []) as { service: 'alibaba' | 'trustee'; url: string; keys: { keys: [] }; problem?: string }[];
	return {
		now: vector.now,
		references: references && (references as unknown[]).length > 0 ? references : undefined,
		policy,
		service: chosen.map(({ service, url, keys, problem }) => ({ kind: service, url, jwks: keys, problem })),
		seen: seen && { intel: seen, simulator: seen }
	};
}

/** The verdict of a vector by the file that it is for, with some of its options replaced. */
export async function judge(vector: Case, replaced: Partial<VerifyInput> = {}): Promise<Report> {
	const api = await (vector.options?.['test_root_is_genuine'] === true ? loadTestRoot() : loadRelease());
	const input = { ...inputOf(vector), ...replaced };
	const bare = resolve(vector.bare) as Case['bare'];
	if (bare) return api.verifyQuote(bare.quote, bare.collateral, input);
	const { bundle_text: text, bundle } = vector;
	return api.verify({ ...input, bundle: text === undefined ? JSON.stringify(resolve(bundle)) : resolveText(text) });
}

const good = readCase('verified');
export const NOW = good.now;
export const REFERENCES = (resolve(good.options!['references']) as JsonObject[])[0]!;

/** A fresh copy of the evidence that gets `verified` where the simulator's root counts as genuine. */
export function goodBundle(): Evidence {
	return structuredClone(resolve(good.bundle)) as Evidence;
}
