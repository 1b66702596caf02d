/** Reference values: what a relying party expects, from a build and a platform that it trusts, never from the server. */

import { platform, td_10, td_15 } from '../data/td_report.json';
import { isHex } from '../shared/bytes.js';
import { areBootEvents, explaining, registerOf, type ExpectedEvents } from './boot-events.js';
import type { ParsedQuote } from './quote.js';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { clauseOf, either, series } from './reason.js';
import { isObject, parseJson, type Json, type JsonObject } from '../shared/strict-json.js';
import type { Outcome } from './outcome.js';

export class ReferencesError extends Reason {}

export type PlatformField = keyof typeof platform & keyof typeof td_10;
export const platformFields = Object.keys(platform) as PlatformField[];
/** Fields of a platform and their sizes in bytes. */
export const PLATFORM_FIELDS = Object.fromEntries(
	platformFields.map((field) => [field, td_10[field].size])
) as Record<PlatformField, number>;
export type Platform = Record<PlatformField, string>;
/** Lists of allowed values; `mr_service_td`: the service TDs that may be bound to the TD. */
export type PlatformPolicy = Partial<Record<PlatformField | 'mr_service_td', string[]>> & {
	allow_migration?: boolean;
	trust_administrator?: boolean;
};
export const SERVICE_TD_SIZE = td_15.mr_service_td.size;
export const NO_SERVICE_TD = '00'.repeat(SERVICE_TD_SIZE);
/**
 * A platform as reference values name it; without `mr_service_td` no service TD is expected. `root`: `verity` where its
 * measurements cover every program, so that nobody who administers the machine can change one. It may have other
 * members, which are newer than this verifier.
 */
export type ReferencePlatform = Platform & {
	mr_service_td?: string;
	root?: 'verity' | 'unmeasured';
	/** What extends a register, where that is told. */
	boot_events?: ExpectedEvents;
};

/** Known event lines and known platforms, of all documents held together. Empty: none held. */
export interface References {
	name: string;
	/** Exact event lines, any of which a log may hold: a list for each document that has some. */
	documents: string[][];
	platforms: ReferencePlatform[];
}

const KEYS = ['v', 'name', 'release', 'events', 'rtmr_3', 'platforms'];
/** What a document may say of the release that it is for: texts for people, which decide nothing. */
const ABOUT = ['version', 'commit', 'upstream'];

function parsePlatform(value: Json, index: number): ReferencePlatform {
	const number = index + 1;
	if (!isObject(value)) throw new ReferencesError('platform {{number}} is not an object', { number });
	const { root = 'unmeasured' } = value;
	if (root !== 'verity' && root !== 'unmeasured')
		throw new ReferencesError("platform {{number}}'s root is neither verity nor unmeasured", { number });
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
	checkBootEvents(value, number);
	return value as unknown as ReferencePlatform;
}

function checkBootEvents(platform: JsonObject, number: number): void {
	const events: unknown = platform['boot_events'] === undefined ? {} : platform['boot_events'];
	if (!areBootEvents(events))
		throw new ReferencesError(
			"platform {{number}}'s boot_events are not lists of events (type, sha384, what) under rtmr_0, rtmr_1 or rtmr_2",
			{ number }
		);
	for (const [field, expected] of Object.entries(events))
		if (registerOf(expected) !== platform[field])
			throw new ReferencesError("platform {{number}}'s boot_events do not replay to its {{field}}", { number, field });
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
	if (value['v'] !== 2)
		throw new ReferencesError('their version is not 2; make them anew with the release that they are for');
	const { rtmr_3 = null, platforms = [], name = '', release = {} } = value;
	if (!isObject(release) || !Object.entries(release).every(([key, text]) => ABOUT.includes(key) && typeof text === 'string'))
		throw new ReferencesError('release holds something else than version, commit and upstream, each a text');
	if (rtmr_3 !== null && !isHex(rtmr_3, 48)) throw new ReferencesError('rtmr_3 is not 48 bytes as lower-case hex');
	if (!Array.isArray(platforms) || typeof name !== 'string')
		throw new ReferencesError('platforms or name is of the wrong type');
	const lines = parseLines(value['events']);
	return { name: name || 'unnamed', documents: lines.length > 0 ? [lines] : [], platforms: platforms.map(parsePlatform) };
}

/**
 * Read one document of reference values or a list of them, as text or parsed. Throws ReferencesError, so that an empty
 * or misspelt value never matches in silence.
 */
export function parseReferences(source: unknown): References {
	const documents = (Array.isArray(source) ? source : [source]).map(parseDocument);
	return {
		name: documents.map(({ name }) => name).join(', '),
		documents: documents.flatMap((one) => one.documents),
		platforms: documents.flatMap(({ platforms }) => platforms)
	};
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

const KNOWN = [...platformFields, 'mr_service_td', 'root', 'boot_events'];

/**
 * The verdict where the platform is a known one (`established` says how): what measured the programs that measure the
 * rest is a root file system that the kernel's command line covers, or nobody but whoever administers the machine.
 */
export function judgePrograms(established: Clause, equal: ReferencePlatform[], trustAdministrator: boolean): Outcome {
	const verity = equal.filter(({ root }) => root === 'verity');
	const counting = verity.length > 0 ? verity : equal;
	const newer = counting.flatMap((platform) => Object.keys(platform).filter((key) => !KNOWN.includes(key)).sort())[0];
	const answer = (status: Outcome['status'], key: Outcome['key'], more: Outcome['params'] = {}): Outcome => ({
		status,
		key,
		params: { established, ...more }
	});
	if (newer !== undefined) return answer('warn', 'tee.check.platform.match.newer', { name: newer.slice(0, 40) });
	if (verity.length > 0) return answer('pass', 'tee.check.platform.match.pass');
	if (trustAdministrator) return answer('pass', 'tee.check.platform.match.administrator');
	return answer('warn', 'tee.check.platform.match.unmeasured');
}

/**
 * All registers equal those of one and the same reference platform. `bootLog`, the evidence's, decides nothing: it says
 * what differs in a register.
 */
export function matchPlatform(
	quote: ParsedQuote,
	{ name, platforms }: References,
	policy: PlatformPolicy,
	bootLog: unknown
): Outcome {
	const differences = platforms.map((platform) => differencesFrom(quote, platform, policy.mr_service_td ?? []));
	const equal = platforms.filter((_, index) => differences[index]!.length === 0);
	if (equal.length > 0) {
		const established = clause('firmware, kernel and TDX module equal the reference values "{{name}}"', { name });
		return judgePrograms(established, equal, policy.trust_administrator === true);
	}
	// the nearest platform tells most about what is different
	const nearest = differences.reduce((best, fields) => (fields.length < best.length ? fields : best));
	const explain = explaining(bootLog, platforms[differences.indexOf(nearest)]!.boot_events ?? {});
	const changes = nearest.map((difference) => explain(...difference));
	const fields = nearest.map(([field]) => field).join(', ');
	return { status: 'fail', key: 'tee.check.platform.match.fail', params: { name, fields, changes: series(changes) } };
}
