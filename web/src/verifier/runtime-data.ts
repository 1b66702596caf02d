/**
 * What a quote is said to be bound to: `runtime_data`. The table of its members is the data: `count` is a whole number from
 * `least`, or 0, to `most`; `hex` and `base64url` have `size` bytes, where it is given; `word` is one `of` a list; `object`
 * has `members`, of which those that are `optional` may be missing. Nothing here is believed.
 */

import table from '../data/runtime_data.json';
import { concat, fromBase64url, isHex, toHex, utf8 } from '../shared/bytes.js';
import { clause, Reason } from '../shared/sentence.js';
import { isObject, type Json, type JsonObject } from '../shared/strict-json.js';
import { canonicalize } from './event-log.js';
import { sha384 } from './hash.js';

interface Rule {
	kind: string;
	size?: number;
	least?: number;
	most?: number;
	of?: string[];
	members?: Record<string, Rule>;
	optional?: boolean;
}
export interface BoundTls {
	spki_sha256: string;
	key: 'drawn' | 'given';
}
export interface BoundData {
	state: 'plain' | 'encrypted';
	owner?: string;
	generation?: number;
}
/** Runtime data of the right shape, as far as this verifier knows it. */
export type RuntimeData = JsonObject & {
	nonces: { root: string; size: number };
	origin?: string;
	tls?: BoundTls;
	channel?: string;
	data?: BoundData;
};

export class RuntimeDataError extends Reason {}

export const VERSION = table.v.type.least;
const ENTRIES: Record<string, { type: Rule; optional?: boolean }> = table;
const MEMBERS: Record<string, Rule> = Object.fromEntries(
	Object.entries(ENTRIES).map(([name, { type, optional }]) => [name, optional ? { ...type, optional } : type])
);

/** 64 bytes of report data for `runtimeData`, hex: SHA-384 of its canonical JSON (RFC 8785), then 16 zero bytes. */
export function reportData(runtimeData: JsonObject): string {
	const text = canonicalize(runtimeData);
	if (text === undefined) throw new Error('The runtime data has no canonical form.');
	return toHex(concat(sha384(utf8(text)), new Uint8Array(16)));
}

function isBase64url(text: string, size: number | undefined): boolean {
	try {
		return size === undefined ? fromBase64url(text) !== null : fromBase64url(text).length === size;
	} catch {
		return false;
	}
}

/** Throws RuntimeDataError where `value` is not of its type, which is no object. */
function checkValue(value: Json, rule: Rule, name: string): void {
	const { kind, size, least = 0, most = Number.MAX_SAFE_INTEGER } = rule;
	if (kind === 'count') {
		if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
			throw new RuntimeDataError('its {{name}} is no whole number from {{least}} to {{most}}', { name, least, most });
		return;
	}
	if (typeof value !== 'string') throw new RuntimeDataError('its {{name}} is no text', { name });
	if (kind === 'hex' && !isHex(value, size))
		throw new RuntimeDataError('its {{name}} is not {{size}} bytes as lower-case hex', { name, size: size! });
	if (kind === 'base64url' && !isBase64url(value, size))
		throw size === undefined
			? new RuntimeDataError('its {{name}} is no base64url without padding', { name })
			: new RuntimeDataError('its {{name}} is not {{size}} bytes in base64url', { name, size });
	if (kind === 'word' && !rule.of!.includes(value))
		throw new RuntimeDataError('its {{name}} is none of {{expected}}', { name, expected: rule.of!.join(', ') });
}

/** The names of members that are newer than this verifier, with dots. Throws RuntimeDataError for a wrong type. */
function newerIn(value: JsonObject, members: Record<string, Rule>, within: string): string[] {
	const newer = Object.keys(value).filter((name) => !Object.hasOwn(members, name));
	return Object.entries(members).reduce((found, [own, rule]) => {
		const name = within + own;
		if (!Object.hasOwn(value, own)) {
			if (rule.optional) return found;
			throw new RuntimeDataError('it lacks {{name}}', { name });
		}
		const member = value[own]!;
		if (rule.kind !== 'object') {
			checkValue(member, rule, name);
			return found;
		}
		if (!isObject(member)) throw new RuntimeDataError('its {{name}} is no object', { name });
		return [...found, ...newerIn(member, rule.members!, `${name}.`)];
	}, newer.map((name) => within + name));
}

/** The runtime data, and the names of its members that are newer than this verifier, sorted. Throws RuntimeDataError. */
export function readRuntimeData(data: unknown): { data: RuntimeData; newer: string[] } {
	if (!isObject(data)) throw new RuntimeDataError('it is missing or no object');
	if (data['v'] === 1)
		throw new RuntimeDataError(
			"it is of version 1: the server is of an older release; update it, or judge it with that release's verifier"
		);
	if (data['v'] !== VERSION)
		throw new RuntimeDataError('its version is {{version}}, not {{expected}}', {
			version: data['v'] === undefined ? clause('missing') : JSON.stringify(data['v']),
			expected: VERSION
		});
	return { data: data as RuntimeData, newer: newerIn(data, MEMBERS, '').sort() };
}
