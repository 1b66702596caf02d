/**
 * The application event log (AAEL text) and RTMR 3. Line 1 is `INIT sha384/<96 hex>`, then `<domain> <operation>
 * <content>`; every line extends the register: RTMR3 := SHA-384(RTMR3 || SHA-384(line)), beginning at 48 zero bytes.
 */

import canonicalizeModule from 'canonicalize';
import operations from '../data/events.json';
import { concat, toHex, utf8 } from '../shared/bytes.js';
import { sha384 } from './hash.js';
import { clause, Reason } from '../shared/sentence.js';
import { isObject, JsonError, parseJson, type JsonObject } from '../shared/strict-json.js';
import type { Outcome } from './outcome.js';

// canonicalize is CommonJS; its types describe the default export of its ES wrapper
export const canonicalize = canonicalizeModule;

export class EventLogError extends Reason {}

export const DOMAIN = 'open-webui-tdx';
export const ZERO_REGISTER = '00'.repeat(48);
const MAX_SIZE = 1024 * 1024;
const INIT = `INIT sha384/${ZERO_REGISTER}`;
export const LAUNCH = 'launch';
export const SITE = 'site';
/** Every operation, with what is known of it. */
const OPERATIONS: Record<
	string,
	{ part?: string; required?: boolean; rule?: boolean; doubt?: string; encrypts?: boolean }
> = operations;
const KNOWN = Object.keys(OPERATIONS);
/** What a launch must have measured before it can match references, each once. */
export const REQUIRED = KNOWN.filter((name) => OPERATIONS[name]!.required);
/** At best a warning, as what they let in is not measured. */
export const DOUBTFUL = KNOWN.flatMap((operation) => {
	const { doubt } = OPERATIONS[operation]!;
	return doubt === undefined ? [] : [{ operation, sentence: doubt }];
});

/** Whether an event is compared line by line with references; the others are judged by rule. */
export const isExact = ({ operation }: LogEvent): boolean =>
	Object.hasOwn(OPERATIONS, operation) && !OPERATIONS[operation]!.rule;

/** Whether an event is that of a program that encrypts what is kept. */
export const encrypts = ({ operation }: LogEvent): boolean =>
	Object.hasOwn(OPERATIONS, operation) && OPERATIONS[operation]!.encrypts === true;

export interface LogEvent {
	/** Number of its line, the INIT line being 1. */
	line: number;
	/** The exact line, without its line break. */
	text: string;
	domain: string;
	operation: string;
	content: JsonObject;
	/** SHA-384 of the line, hex: what the register was extended with. */
	digest: string;
}

export interface Replay {
	/** The register after the last line, 96 hex digits. */
	rtmr_3: string;
	events: LogEvent[];
}

/** The content of an event, which is a JSON object in canonical form (RFC 8785); throws where it is anything else. */
function parseContent(text: string, line: number): JsonObject {
	try {
		const value = parseJson(text);
		if (isObject(value) && canonicalize(value) === text) return value;
	} catch (error) {
		if (!(error instanceof JsonError)) throw error;
	}
	throw new EventLogError('the content of line {{line}} is not a canonical JSON object (RFC 8785)', { line });
}

function parseEvent(text: string, line: number): LogEvent {
	const [whole, domain, operation, content] = /^([^ ]*) ([^ ]*) (.*)$/s.exec(text) ?? [];
	if (whole === undefined) throw new EventLogError('line {{line}} is not "<domain> <operation> <content>"', { line });
	if (domain !== DOMAIN || operation === '') {
		const name = `${domain!.slice(0, 40)} ${operation!.slice(0, 40)}`;
		throw new EventLogError('line {{line}} is the unknown event "{{name}}"', { line, name });
	}
	return {
		line,
		text,
		domain,
		operation: operation!,
		content: parseContent(content!, line),
		digest: toHex(sha384(utf8(text)))
	};
}

/** The events that the `launch` at `events[place]` names: `lines` (their places), and `plan`, the digest of these lines. */
function named(events: LogEvent[], place: number): LogEvent[] {
	const { line, content } = events[place]!;
	const { lines, plan } = content;
	const whole =
		Object.keys(content).sort().join() === 'lines,plan' &&
		Array.isArray(lines) &&
		lines.every((one) => Number.isInteger(one) && (one as number) >= 2 && (one as number) < line) &&
		new Set(lines).size === lines.length;
	if (!whole)
		throw new EventLogError('the launch on line {{line}} does not name lines before it, each once, and their digest', {
			line
		});
	const found = (lines as number[]).map((one) => events[one - 2]!);
	const digest = toHex(sha384(utf8(found.map(({ text }) => `${text}\n`).join(''))));
	if (digest !== plan || found.some(({ operation }) => operation === LAUNCH))
		throw new EventLogError('the launch on line {{line}} does not have the digest of the lines that it names', { line });
	return found;
}

/** What each launch of the log put in force, the last one last. Throws EventLogError. */
export function inForce(events: LogEvent[]): LogEvent[][] {
	return events.flatMap(({ operation }, place) => (operation === LAUNCH ? [named(events, place)] : []));
}

/** SHA-384 (hex) of the release that the last launch put in force; null where none was measured. Throws EventLogError. */
export function releaseInForce(events: LogEvent[]): string | null {
	const now = inForce(events).at(-1) ?? events;
	const digest = now.find(({ operation }) => operation === 'release')?.content['sha384'];
	return typeof digest === 'string' ? digest : null;
}

/**
 * The log's events and the register they lead to. Throws EventLogError where the text is not a log, does not begin at an
 * untouched register, or has a launch that names other lines than it says.
 */
export function replay(eventLog: string): Replay {
	if (utf8(eventLog).length > MAX_SIZE || /[\r\0]/.test(eventLog))
		throw new EventLogError('it is larger than {{limit}} bytes or holds control characters', { limit: MAX_SIZE });
	const lines = eventLog.replace(/\n$/, '').split('\n');
	if (lines[0] !== INIT) throw new EventLogError('it does not start with the INIT line of an untouched register');
	const events = lines.slice(1).map((text, i) => parseEvent(text, i + 2));
	inForce(events);
	const register = lines.reduce<Uint8Array>(
		(value, line) => sha384(concat(value, sha384(utf8(line)))),
		new Uint8Array(48)
	);
	return { rtmr_3: toHex(register), events };
}

/** Does the log explain RTMR 3 (`register`, hex) and is every event known? An empty register is an unmeasured launch. */
export function checkEventLog(eventLog: unknown, register: string): { outcome: Outcome; events: LogEvent[] } {
	const fail = (outcome: Outcome) => ({ outcome, events: [] });
	if (eventLog === undefined || eventLog === null || eventLog === '') {
		return register === ZERO_REGISTER
			? fail({ status: 'warn', key: 'tee.check.eventlog.replay.unmeasured' })
			: fail({ status: 'fail', key: 'tee.check.eventlog.replay.missing', params: { actual: register } });
	}
	if (typeof eventLog !== 'string')
		return fail({
			status: 'fail',
			key: 'tee.check.eventlog.replay.malformed',
			params: { reason: clause('it is not text') }
		});
	try {
		const { rtmr_3, events } = replay(eventLog);
		if (rtmr_3 !== register)
			return fail({
				status: 'fail',
				key: 'tee.check.eventlog.replay.mismatch',
				params: { actual: register, expected: rtmr_3 }
			});
		const newer = [...new Set(events.map(({ operation }) => operation))].filter((name) => !KNOWN.includes(name)).sort();
		const outcome: Outcome =
			newer.length > 0
				? { status: 'warn', key: 'tee.check.eventlog.replay.newer', params: { names: newer.join(', ').slice(0, 40) } }
				: { status: 'pass', key: 'tee.check.eventlog.replay.pass', params: { count: events.length } };
		return { outcome, events };
	} catch (error) {
		if (!(error instanceof EventLogError)) throw error;
		return fail({ status: 'fail', key: 'tee.check.eventlog.replay.malformed', params: { reason: error.clause } });
	}
}
