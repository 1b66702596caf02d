/**
 * What differs in a register that the boot measured: the events that were expected, beside those that a log tells of. The
 * log is the host's word: it is believed for a register only if it replays to what the quote holds, and it decides
 * nothing then, it only explains. An event's digest is proven by that; its type, and so its name, is not.
 */

import known from '../data/boot_events.json';
import { fromHex, isHex, toHex } from '../shared/bytes.js';
import { clause, english, type Clause } from '../shared/sentence.js';
import { isObject } from '../shared/strict-json.js';
import { BootLogError, extended, readBootLog, type BootEvent } from './boot-log.js';

export const REGISTERS = ['rtmr_0', 'rtmr_1', 'rtmr_2'] as const;
/** One event of a platform's reference values: its SHA-384 (hex), and what it is, in words. */
export interface ExpectedEvent {
	type: string;
	sha384: string;
	what: string;
}
export type ExpectedEvents = Partial<Record<string, ExpectedEvent[]>>;

const MOST_NAMES = 8;
const MOST_EVENTS = 512;
const KINDS: Record<string, string | undefined> = known.kinds;
/** The name in a UEFI_VARIABLE_DATA (TCG PC Client Platform Firmware Profile 1.06, 10.2.6), where it is plain. */
function variable(data: Uint8Array): string {
	const size = data.slice(16, 24).reduce((sum, byte, i) => sum + byte * 256 ** i, 0);
	if (size < 1 || size > 32 || data.length < 32 + 2 * size) return '';
	const units = Array.from({ length: size }, (_, i) => data[32 + 2 * i]! + 256 * data[33 + 2 * i]!);
	const name = String.fromCharCode(...units);
	return /^[0-9A-Za-z]+$/.test(name) ? name : '';
}

/** What the log says that an event is, in words: never a text of the log's but the plain name of a variable. */
export function nameOf({ kind: number, data }: BootEvent): Clause {
	const kind = `0x${number.toString(16)}`;
	if (known.variables.includes(kind)) {
		const name = variable(data);
		return name ? clause('the variable {{name}}', { name }) : clause('a variable');
	}
	const start = String.fromCharCode(...data.subarray(0, 96));
	const told = known.told.find(({ kinds, holds }) => kinds.includes(kind) && start.includes(holds));
	const words = told?.words ?? KINDS[kind];
	return words === undefined ? clause('an event of type {{kind}}', { kind }) : clause(words);
}

function isExpected(value: unknown): value is ExpectedEvent {
	if (!isObject(value) || Object.keys(value).sort().join() !== 'sha384,type,what') return false;
	const { type, sha384, what } = value;
	return (
		typeof type === 'string' &&
		/^0x[0-9a-f]{1,8}$/.test(type) &&
		isHex(sha384, 48) &&
		typeof what === 'string' &&
		/^[ -~]{1,80}$/.test(what)
	);
}

/** Whether these are lists of events under names of registers: the shape alone. */
export function areBootEvents(value: unknown): value is Record<string, ExpectedEvent[]> {
	return (
		isObject(value) &&
		Object.entries(value).every(
			([name, events]) =>
				(REGISTERS as readonly string[]).includes(name) &&
				Array.isArray(events) &&
				events.length > 0 &&
				events.length <= MOST_EVENTS &&
				events.every(isExpected)
		)
	);
}

/** The register (hex) that these events lead to. */
export const registerOf = (events: ExpectedEvent[]): string =>
	toHex(extended(events.map(({ sha384 }) => fromHex(sha384))));

/** A log's event has a name of ours, an expected one whatever the reference values call it. */
type Named = [digest: string, name: string | Clause];
type Names = Map<string, string | Clause>;

/** The names of those that are not among the others, as often as they are there; each name once, in order. */
function without(events: Named[], others: Named[]): Names {
	const left = new Map<string, number>();
	for (const [digest] of others) left.set(digest, (left.get(digest) ?? 0) + 1);
	const names: Names = new Map();
	for (const [digest, name] of events) {
		const count = left.get(digest) ?? 0;
		if (count > 0) left.set(digest, count - 1);
		else if (!names.has(english(name))) names.set(english(name), name);
	}
	return names;
}

function listed(names: Names): string | Clause {
	const [first = '', ...rest] = [...names.values()].slice(0, MOST_NAMES);
	const shown = rest.reduce((all, next) => clause('{{first}}, {{next}}', { first: all, next }), first);
	const more = names.size - MOST_NAMES;
	return more > 0 ? clause('{{shown}} and {{count}} more', { shown, count: more }) : shown;
}

/** What is missing of the expected events, and what is there instead, by name. */
function difference(field: string, expected: Named[], logged: Named[]): Clause {
	const [lacks, has] = [without(expected, logged), without(logged, expected)];
	if (lacks.size === 0 && has.size === 0) return clause('{{field}} differs in the order of its events alone', { field });
	if (lacks.size === has.size && [...lacks.keys()].every((name) => has.has(name)))
		return clause('{{field}} differs in {{events}}', { field, events: listed(has) });
	if (has.size === 0) return clause('{{field}} lacks {{events}}', { field, events: listed(lacks) });
	if (lacks.size === 0) return clause('{{field}} has {{events}} in addition', { field, events: listed(has) });
	return clause('{{field}} lacks {{lacking}} and has {{events}} instead', {
		field,
		lacking: listed(lacks),
		events: listed(has)
	});
}

/** One clause for a platform's `field` that differs, as far as the log tells by which events. */
export type Explain = (field: string, actual: string, expected: string) => Clause;

/** `events`: what is expected of a platform's registers. `bootLog`: the evidence's; undefined or null: there is none. */
export function explaining(bootLog: unknown, events: ExpectedEvents): Explain {
	let log: BootEvent[] | null = null;
	let unreadable: Clause | null = null;
	try {
		if (Object.keys(events).length > 0) log = readBootLog(bootLog ?? null);
	} catch (error) {
		if (!(error instanceof BootLogError)) throw error;
		unreadable = error.clause;
	}
	if ((bootLog ?? null) === null) unreadable = null;
	return (field, actual, expected) => {
		const values = { field, actual, expected };
		const plain = clause('{{field}} is {{actual}}, expected {{expected}}', values);
		const awaited = events[field];
		if (awaited === undefined) return plain;
		if (unreadable)
			return clause('{{what}} (the boot log is not believed: {{reason}})', { what: plain, reason: unreadable });
		if (log === null) return plain;
		const register = (REGISTERS as readonly string[]).indexOf(field);
		const mine = log.filter((event) => event.register === register);
		if (toHex(extended(mine.map(({ digest }) => digest))) !== actual) {
			const reason = clause('it does not replay to that');
			return clause('{{what}} (the boot log is not believed: {{reason}})', { what: plain, reason });
		}
		return difference(
			field,
			awaited.map(({ sha384, what }): Named => [sha384, what]),
			mine.map((event): Named => [toHex(event.digest), nameOf(event)])
		);
	};
}
