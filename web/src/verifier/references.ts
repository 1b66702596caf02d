/** Reference values: what a relying party expects, from a build and a platform that it trusts, never from the server. */

import { platform, td_10, td_15 } from '../data/td_report.json';
import { isHex } from '../shared/bytes.js';
import { DOUBTFUL, REQUIRED, type LogEvent } from './event-log.js';
import type { ParsedQuote } from './quote.js';
import { clause, Reason } from '../shared/sentence.js';
import { clauseOf, either, series } from './reason.js';
import { isObject, parseJson, type Json } from '../shared/strict-json.js';
import type { Outcome } from './outcome.js';

export class ReferencesError extends Reason {}

export type PlatformField = keyof typeof platform & keyof typeof td_10;
export const platformFields = Object.keys(platform) as PlatformField[];
/** Fields of a platform and their sizes in bytes. */
export const PLATFORM_FIELDS = Object.fromEntries(
	platformFields.map((field) => [field, td_10[field].size])
) as Record<PlatformField, number>;
export type Platform = Record<PlatformField, string>;
export const SERVICE_TD_SIZE = td_15.mr_service_td.size;
export const NO_SERVICE_TD = '00'.repeat(SERVICE_TD_SIZE);
/** A platform as reference values name it; without `mr_service_td` no service TD is expected. */
export type ReferencePlatform = Platform & { mr_service_td?: string };

/** Known event lines and known platforms, of all documents held together. Empty: none held. */
export interface References {
	name: string;
	/** Exact event lines, any of which a log may hold. */
	events: string[];
	platforms: ReferencePlatform[];
}

const KEYS = ['v', 'name', 'events', 'rtmr_3', 'platforms'];

function parsePlatform(value: Json, index: number): ReferencePlatform {
	const number = index + 1;
	if (!isObject(value)) throw new ReferencesError('platform {{number}} is not an object', { number });
	const unknown = Object.keys(value).find((key) => !Object.hasOwn(PLATFORM_FIELDS, key) && key !== 'mr_service_td');
	if (unknown !== undefined)
		throw new ReferencesError('platform {{number}} has the unknown key "{{name}}"', { number, name: unknown });
	for (const field of platformFields)
		if (!isHex(value[field], PLATFORM_FIELDS[field]))
			throw new ReferencesError('platform {{number}} lacks {{field}}, {{size}} bytes as lower-case hex', {
				number,
				field,
				size: PLATFORM_FIELDS[field]
			});
	const { mr_service_td: service } = value;
	if (service !== undefined && !isHex(service, SERVICE_TD_SIZE))
		throw new ReferencesError("platform {{number}}'s mr_service_td is not {{size}} bytes as lower-case hex", {
			number,
			size: SERVICE_TD_SIZE
		});
	if (service === NO_SERVICE_TD)
		throw new ReferencesError("platform {{number}}'s mr_service_td is zeros; leave it out where there is no service TD", {
			number
		});
	return value as ReferencePlatform;
}

function parseLines(value: Json | undefined): string[] {
	if (!Array.isArray(value)) throw new ReferencesError('events is missing or no list');
	if (!value.every((line) => typeof line === 'string' && line !== '' && !line.includes('\n')))
		throw new ReferencesError('an event is empty or not one line');
	return value as string[];
}

function parseDocument(source: unknown): References {
	let value: unknown;
	try {
		value = typeof source === 'string' ? parseJson(source) : source;
	} catch (error) {
		throw new ReferencesError(clauseOf(error));
	}
	if (!isObject(value)) throw new ReferencesError('they are not a JSON object');
	const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
	if (unknown !== undefined) throw new ReferencesError('they have the unknown member "{{name}}"', { name: unknown });
	if (value['v'] !== 1) throw new ReferencesError('their version is not 1');
	const { rtmr_3 = null, platforms = [], name = '' } = value;
	if (rtmr_3 !== null && !isHex(rtmr_3, 48)) throw new ReferencesError('rtmr_3 is not 48 bytes as lower-case hex');
	if (!Array.isArray(platforms) || typeof name !== 'string')
		throw new ReferencesError('platforms or name is of the wrong type');
	return { name: name || 'unnamed', events: parseLines(value['events']), platforms: platforms.map(parsePlatform) };
}

/**
 * Read one document of reference values or a list of them, as text or parsed. Throws ReferencesError, so that an empty
 * or misspelt value never matches in silence.
 */
export function parseReferences(source: unknown): References {
	const documents = (Array.isArray(source) ? source : [source]).map(parseDocument);
	return {
		name: documents.map(({ name }) => name).join(', '),
		events: documents.flatMap(({ events }) => events),
		platforms: documents.flatMap(({ platforms }) => platforms)
	};
}

/** The parts of the launch that were not measured, or null where all were. */
function missing(events: LogEvent[]): string | null {
	return REQUIRED.filter((operation) => !events.some((event) => event.operation === operation)).join(', ') || null;
}

/** What is left to say once every event is known: the launch is whole, is the attester's, and nothing in it is doubtful. */
export function judgeLaunch(events: LogEvent[], boundRelease: unknown, good: Outcome): Outcome {
	const gaps = missing(events);
	if (gaps) return { status: 'fail', key: 'tee.check.release.match.gaps', params: { missing: gaps } };
	const releases = events
		.filter((event) => event.operation === 'release')
		.map((event) => String(event.content['sha384']));
	if (boundRelease !== undefined && !releases.includes(String(boundRelease)))
		return {
			status: 'fail',
			key: 'tee.check.release.match.attester',
			params: { actual: String(boundRelease), expected: either(releases) }
		};
	const doubts = events.filter((event) => DOUBTFUL.includes(event.operation));
	if (doubts.length === 0) return good;
	const params = {
		events: doubts
			.map((event) => event.text.slice(event.domain.length + 1))
			.join('; ')
			.slice(0, 500)
	};
	return { status: 'warn', key: 'tee.check.release.match.doubtful', params };
}

/** Every event equals a reference, and the launch is whole. `boundRelease`: the release that the attester names. */
export function matchRelease(events: LogEvent[], references: References, boundRelease: unknown): Outcome {
	const allowed = new Set(references.events);
	const stranger = events.find((event) => !allowed.has(event.text));
	if (!stranger) {
		const params = { count: events.length, name: references.name };
		return judgeLaunch(events, boundRelease, { status: 'pass', key: 'tee.check.release.match.pass', params });
	}
	const prefix = `${stranger.domain} ${stranger.operation} `;
	const known = references.events.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
	const params = {
		component: stranger.operation,
		name: references.name,
		actual: stranger.text.slice(prefix.length).slice(0, 600),
		expected: known.slice(0, 4).join(' or ').slice(0, 1200) || clause('no such event')
	};
	return { status: 'fail', key: 'tee.check.release.match.fail', params };
}

export function platformOf(quote: ParsedQuote): Platform {
	return Object.fromEntries(platformFields.map((field) => [field, quote[field]])) as Platform;
}

/** The first of the policy's lists that the platform is not in, as a failure; null where it is in all. */
export function refusedByPolicy(quote: ParsedQuote, allowed: Partial<Record<PlatformField, string[]>>): Outcome | null {
	const field = platformFields.find((one) => allowed[one] && !allowed[one].includes(quote[one]));
	if (!field) return null;
	return {
		status: 'fail',
		key: 'tee.check.platform.match.policy',
		params: { field, actual: quote[field], expected: either(allowed[field]!) }
	};
}

/** The quote's MR_SERVICE_TD; zeros where none is bound, or a TD 1.0 can have none. */
export const serviceTd = (quote: ParsedQuote): string => quote.mr_service_td ?? NO_SERVICE_TD;

/** Field, actual and expected value of what differs. A platform that names no service TD expects none, but for `accepted`. */
function differencesFrom(quote: ParsedQuote, platform: ReferencePlatform, accepted: string[]): [string, string, string][] {
	const differences = platformFields
		.filter((field) => platform[field] !== quote[field])
		.map((field): [string, string, string] => [field, quote[field], platform[field]]);
	const [actual, named] = [serviceTd(quote), platform.mr_service_td];
	const fine = actual === (named ?? NO_SERVICE_TD) || (named === undefined && accepted.includes(actual));
	return fine ? differences : [...differences, ['mr_service_td', actual, named ?? NO_SERVICE_TD]];
}

/** All registers equal those of one and the same reference platform. `accepted`: service TDs that the policy accepts. */
export function matchPlatform(quote: ParsedQuote, { name, platforms }: References, accepted: string[] = []): Outcome {
	const differences = platforms.map((platform) => differencesFrom(quote, platform, accepted));
	const index = differences.findIndex((fields) => fields.length === 0);
	if (index >= 0) return { status: 'pass', key: 'tee.check.platform.match.pass', params: { index: index + 1, name } };
	// the nearest platform tells most about what is different
	const nearest = differences.reduce((best, fields) => (fields.length < best.length ? fields : best));
	const changes = nearest.map(([field, actual, expected]) =>
		clause('{{field}} is {{actual}}, expected {{expected}}', { field, actual, expected })
	);
	const fields = nearest.map(([field]) => field).join(', ');
	return { status: 'fail', key: 'tee.check.platform.match.fail', params: { name, fields, changes: series(changes) } };
}
