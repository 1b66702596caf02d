/** Reference values: what a relying party expects, from a build and a platform that it trusts, never from the server. */

import { isHex } from './bytes.js';
import type { LogEvent } from './event-log.js';
import type { ParsedQuote } from './quote.js';
import { isObject, parseJson, type Json, type JsonObject } from './strict-json.js';
import type { Outcome } from './verdict.js';

export class ReferencesError extends Error {}

/** Fields of a platform and their sizes in bytes. */
export const PLATFORM_FIELDS = {
	mr_td: 48, rtmr_0: 48, rtmr_1: 48, rtmr_2: 48, xfam: 8, td_attributes: 8, mr_seam: 48
} as const;
export type PlatformField = keyof typeof PLATFORM_FIELDS;
export type Platform = Record<PlatformField, string>;
export const platformFields = Object.keys(PLATFORM_FIELDS) as PlatformField[];

export interface References {
	name: string;
	/** Exact event lines, any of which a log may hold. */
	events: string[];
	platforms: Platform[];
}

const KEYS = ['v', 'name', 'events', 'rtmr_3', 'platforms'];

function parsePlatform(value: Json, index: number): Platform {
	const where = `platform ${index + 1}`;
	if (!isObject(value)) throw new ReferencesError(`${where} is not an object`);
	const unknown = Object.keys(value).find((key) => !(key in PLATFORM_FIELDS));
	if (unknown !== undefined) throw new ReferencesError(`${where} has the unknown key "${unknown}"`);
	for (const field of platformFields)
		if (!isHex(value[field], PLATFORM_FIELDS[field]))
			throw new ReferencesError(`${where} lacks ${field}, ${PLATFORM_FIELDS[field]} bytes as lower-case hex`);
	return value as Platform;
}

function lines(value: Json | undefined): string[] {
	if (!Array.isArray(value) || value.length === 0) throw new ReferencesError('they hold no events');
	if (!value.every((line) => typeof line === 'string' && line !== '')) throw new ReferencesError('an event is empty or no text');
	return value as string[];
}

/** Read reference values, as text or parsed; throws ReferencesError, so that an empty value never matches in silence. */
export function parseReferences(source: unknown): References {
	let value: unknown;
	try {
		value = typeof source === 'string' ? parseJson(source) : source;
	} catch (error) {
		throw new ReferencesError((error as Error).message.replace(/\.$/, ''));
	}
	if (!isObject(value)) throw new ReferencesError('they are not a JSON object');
	const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
	if (unknown !== undefined) throw new ReferencesError(`they have the unknown key "${unknown}"`);
	if (value['v'] !== 1) throw new ReferencesError('their version is not 1');
	const { rtmr_3 = null, platforms = [] } = value as JsonObject;
	if (rtmr_3 !== null && !isHex(rtmr_3, 48)) throw new ReferencesError('rtmr_3 is not 48 bytes as lower-case hex');
	if (!Array.isArray(platforms)) throw new ReferencesError('platforms is not a list');
	const name = typeof value['name'] === 'string' && value['name'] ? value['name'] : 'unnamed';
	return { name, events: lines(value['events']), platforms: platforms.map(parsePlatform) };
}

/** Every event equals a reference, and one of them is the release. */
export function matchRelease(events: LogEvent[], references: References): Outcome {
	if (!events.some((event) => event.operation === 'release')) return { status: 'fail', key: 'tee.check.release.match.norelease' };
	const allowed = new Set(references.events);
	const stranger = events.find((event) => !allowed.has(event.text));
	if (!stranger) return { status: 'pass', key: 'tee.check.release.match.pass', params: { count: events.length, name: references.name } };
	const prefix = `${stranger.domain} ${stranger.operation} `;
	const known = references.events.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
	const params = {
		component: stranger.operation,
		name: references.name,
		actual: stranger.text.slice(prefix.length).slice(0, 500),
		expected: known.join(' or ').slice(0, 1000) || 'none'
	};
	return { status: 'fail', key: 'tee.check.release.match.fail', params };
}

export function platformOf(quote: ParsedQuote): Platform {
	return Object.fromEntries(platformFields.map((field) => [field, quote[field]])) as Platform;
}

/** All registers equal those of one and the same reference platform. */
export function matchPlatform(quote: ParsedQuote, { name, platforms }: References): Outcome {
	const actual = platformOf(quote);
	const differing = (platform: Platform) => platformFields.filter((field) => platform[field] !== actual[field]);
	const differences = platforms.map(differing);
	const index = differences.findIndex((fields) => fields.length === 0);
	if (index >= 0) return { status: 'pass', key: 'tee.check.platform.match.pass', params: { index: index + 1, name } };
	// the nearest platform tells most about what is different
	const nearest = differences.reduce((best, fields, i) => (fields.length < differences[best]!.length ? i : best), 0);
	const field = differences[nearest]![0]!;
	const params = { field, name, actual: actual[field], expected: platforms[nearest]![field] };
	return { status: 'fail', key: 'tee.check.platform.match.fail', params };
}
