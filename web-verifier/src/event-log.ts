/**
 * The application event log (AAEL text) and RTMR 3. Line 1 is `INIT sha384/<96 hex>`, then `<domain> <operation>
 * <content>`; every line extends the register: RTMR3 := SHA-384(RTMR3 || SHA-384(line)), beginning at 48 zero bytes.
 */

import canonicalizeModule from 'canonicalize';
import { concat, sha384, toHex, utf8 } from './bytes.js';
import { isObject, JsonError, parseJson, type JsonObject } from './strict-json.js';
import type { Outcome } from './verdict.js';

// canonicalize is CommonJS; its types describe the default export of its ES wrapper
export const canonicalize = canonicalizeModule as unknown as (value: unknown) => string | undefined;

export class EventLogError extends Error {}

export const DOMAIN = 'open-webui-tdx';
export const ZERO_REGISTER = '00'.repeat(48);
const MAX_LINES = 4096;
const MAX_LINE = 64 * 1024;
const INIT = /^INIT sha384\/([0-9a-f]{96})$/;
/** Events of a measured launch. */
const KNOWN = ['release', 'python', 'settings', 'ollama', 'llm', 'model'];
/** Events that tell of something beyond the measured release: never better than a warning. */
export const EXTRA = ['endpoint', 'tool', 'function'];

export interface LogEvent {
	/** Number of its line, the INIT line being 1. */
	line: number;
	/** The exact line, without its line break. */
	text: string;
	domain: string;
	operation: string;
	/** The content, where it is a JSON object in canonical form; null otherwise. */
	content: JsonObject | null;
	/** SHA-384 of the line, hex: what the register was extended with. */
	digest: string;
}

export interface Replay {
	/** The register after the last line, 96 hex digits. */
	rtmr_3: string;
	events: LogEvent[];
}

function content(text: string): JsonObject | null {
	try {
		const value = parseJson(text);
		return isObject(value) && canonicalize(value) === text ? value : null;
	} catch (error) {
		if (error instanceof JsonError) return null;
		throw error;
	}
}

function parseEvent(text: string, line: number): LogEvent {
	const [domain, operation, ...rest] = text.split(' ');
	if (!domain || !operation || rest.length === 0) throw new EventLogError(`line ${line} is not "<domain> <operation> <content>"`);
	return { line, text, domain, operation, content: content(rest.join(' ')), digest: toHex(sha384(utf8(text))) };
}

/** The log's events and the register they lead to; throws EventLogError where the text is not a log. */
export function replay(eventLog: string): Replay {
	const lines = eventLog.split('\n');
	if (lines.at(-1) === '') lines.pop();
	if (lines.length > MAX_LINES) throw new EventLogError(`it has ${lines.length} lines, more than ${MAX_LINES}`);
	const init = INIT.exec(lines[0] ?? '');
	if (!init) throw new EventLogError('line 1 is not "INIT sha384/<96 hex digits>"');
	if (init[1] !== ZERO_REGISTER) throw new EventLogError('line 1 says that RTMR 3 was extended before the log began');
	let register: Uint8Array = new Uint8Array(48);
	for (const [index, line] of lines.entries()) {
		if (line.length > MAX_LINE || /[\u0000-\u001f\u007f]/.test(line))
			throw new EventLogError(`line ${index + 1} is too long or holds a control character`);
		register = sha384(concat(register, sha384(utf8(line))));
	}
	return { rtmr_3: toHex(register), events: lines.slice(1).map((text, i) => parseEvent(text, i + 2)) };
}

export const isKnown = (event: LogEvent): boolean =>
	event.domain === DOMAIN && event.content !== null && [...KNOWN, ...EXTRA].includes(event.operation);

function judgeEvents(events: LogEvent[]): Outcome {
	const unknown = events.find((event) => !isKnown(event));
	if (unknown) {
		const params = { line: unknown.line, event: unknown.text.slice(0, 200) };
		return { status: 'fail', key: 'tee.check.eventlog.replay.unknown', params };
	}
	if (!events.some((event) => event.operation === 'release')) return { status: 'fail', key: 'tee.check.eventlog.replay.norelease' };
	const extra = events.filter((event) => EXTRA.includes(event.operation));
	if (extra.length > 0) {
		const params = { events: extra.map((event) => event.text.slice(DOMAIN.length + 1)).join('; ').slice(0, 500) };
		return { status: 'warn', key: 'tee.check.eventlog.replay.extra', params };
	}
	return { status: 'pass', key: 'tee.check.eventlog.replay.pass', params: { count: events.length } };
}

/** Does the log explain RTMR 3 (`register`, hex) and is every event known? An empty register is an unmeasured launch. */
export function checkEventLog(eventLog: unknown, register: string): { outcome: Outcome; events: LogEvent[] } {
	const fail = (outcome: Outcome) => ({ outcome, events: [] });
	if (eventLog === undefined || eventLog === null || eventLog === '') {
		return register === ZERO_REGISTER
			? fail({ status: 'warn', key: 'tee.check.eventlog.replay.unmeasured' })
			: fail({ status: 'fail', key: 'tee.check.eventlog.replay.missing', params: { actual: register } });
	}
	if (typeof eventLog !== 'string') return fail({ status: 'fail', key: 'tee.check.eventlog.replay.malformed', params: { reason: 'it is not text' } });
	try {
		const { rtmr_3, events } = replay(eventLog);
		if (rtmr_3 !== register)
			return fail({ status: 'fail', key: 'tee.check.eventlog.replay.mismatch', params: { actual: register, expected: rtmr_3 } });
		return { outcome: judgeEvents(events), events };
	} catch (error) {
		if (!(error instanceof EventLogError)) throw error;
		return fail({ status: 'fail', key: 'tee.check.eventlog.replay.malformed', params: { reason: error.message } });
	}
}
