/**
 * Trust on first use: what a person saw and accepted once, to be compared with what is seen later. The platform and
 * each measured event are kept, so that a change can be named; the raw RTMR 3 alone could only say that something did.
 */

import { LAUNCH, replay, type LogEvent } from './event-log.js';
import type { Evidence } from '../shared/evidence.js';
import { parseQuote, type ParsedQuote } from './quote.js';
import { judgePrograms, platformFields, platformOf, PLATFORM_FIELDS, type Platform } from './references.js';
import { listed } from '../shared/parts.js';
import { judgeLaunch } from './release.js';
import { clause } from '../shared/sentence.js';
import { isHex } from '../shared/bytes.js';
import { isObject, parseJson, type JsonObject } from '../shared/strict-json.js';
import { parseTime } from '../shared/time.js';
import type { Outcome } from './outcome.js';

export interface Snapshot {
	v: 1;
	/** When it was trusted, ISO 8601 UTC. */
	time: string;
	platform: Platform;
	/** The exact event lines, without the INIT line. */
	events: string[];
}

export interface Difference {
	part: 'platform' | 'event';
	/** A register's name, or an event's operation (with the model's name, where it is a model). */
	field: string;
	/** What was trusted; null where it is new. */
	trusted: string | null;
	/** What there is now; null where it is gone. */
	now: string | null;
}

function eventsOf(evidence: Evidence): LogEvent[] {
	const log = evidence.evidence['event_log'];
	return typeof log === 'string' && log !== '' ? replay(log).events : [];
}

/** The lines that say what was measured; which of them are in force is said anew by each launch. */
const measured = (events: LogEvent[]): string[] =>
	events.filter(({ operation }) => operation !== LAUNCH).map(({ text }) => text);

/** What to keep of `bundle`; throws where its quote or log cannot be read. Ask `canTrust` of its verdict first. */
export function trustSnapshot(bundle: Evidence, time: string): Snapshot {
	const quote = parseQuote(String(bundle.evidence['quote']));
	return { v: 1, time, platform: platformOf(quote), events: measured(eventsOf(bundle)) };
}

/** The snapshot, or null where `value` is none, whole and well-formed. */
export function parseSnapshot(value: unknown): Snapshot | null {
	if (!isObject(value) || value['v'] !== 1 || !parseTime(value['time'])) return null;
	const { platform, events } = value;
	if (!isObject(platform) || !platformFields.every((field) => isHex(platform[field], PLATFORM_FIELDS[field])))
		return null;
	if (!Array.isArray(events) || !events.every((line) => typeof line === 'string')) return null;
	return value as unknown as Snapshot;
}

/** What an event is about: two lines with the same subject are one thing that changed. */
function subject(line: string): string {
	const [, operation = '', ...rest] = line.split(' ');
	try {
		const content = parseJson(rest.join(' '));
		return isObject(content) && typeof content['name'] === 'string' ? `${operation} ${content['name']}` : operation;
	} catch {
		return operation;
	}
}

function eventDifferences(trusted: string[], now: string[]): Difference[] {
	const gone = trusted.filter((line) => !now.includes(line));
	const added = now.filter((line) => !trusted.includes(line));
	const subjects = [...new Set([...gone, ...added].map(subject))];
	return subjects.map((field) => {
		const of = (lines: string[]) => lines.filter((line) => subject(line) === field).join('; ') || null;
		return { part: 'event', field, trusted: of(gone), now: of(added) };
	});
}

function platformDifferences(trusted: Platform, now: Platform): Difference[] {
	return platformFields
		.filter((field) => trusted[field] !== now[field])
		.map((field) => ({ part: 'platform', field, trusted: trusted[field], now: now[field] }));
}

/** Every difference between what was trusted and `bundle`; empty where nothing changed. */
export function compareTrusted(snapshot: Snapshot, bundle: Evidence): Difference[] {
	const quote = parseQuote(String(bundle.evidence['quote']));
	const now = measured(eventsOf(bundle));
	return [...platformDifferences(snapshot.platform, platformOf(quote)), ...eventDifferences(snapshot.events, now)];
}

/** What changed since then, as a failure; null: nothing did. */
function changed(check: 'release.match' | 'platform.match', differences: Difference[], date: string): Outcome | null {
	if (differences.length === 0) return null;
	const changes = differences
		.map(({ field, trusted, now }) => `${field}: ${trusted ?? 'none'} -> ${now ?? 'none'}`)
		.join('; ');
	const parts = listed(differences.map(({ field }) => field));
	return { status: 'fail', key: `tee.check.${check}.changed`, params: { date, parts, changes: changes.slice(0, 2000) } };
}

/** The same events as were trusted. `bound`: the quote's runtime data, as far as it was proven. */
export function matchTrustedRelease(events: LogEvent[], snapshot: Snapshot, bound: JsonObject): Outcome {
	const date = snapshot.time.slice(0, 10);
	const good: Outcome = { status: 'pass', key: 'tee.check.release.match.trusted', params: { date } };
	const differences = eventDifferences(snapshot.events, measured(events));
	return changed('release.match', differences, date) ?? judgeLaunch(events, [snapshot.events], bound, good);
}

/** The same platform as was trusted, which nobody knows to measure its programs. */
export function matchTrustedPlatform(quote: ParsedQuote, snapshot: Snapshot, trustAdministrator: boolean): Outcome {
	const date = snapshot.time.slice(0, 10);
	const established = clause('the platform is the same as you trusted on {{date}}', { date });
	const differences = platformDifferences(snapshot.platform, platformOf(quote));
	return changed('platform.match', differences, date) ?? judgePrograms(established, [], trustAdministrator);
}
