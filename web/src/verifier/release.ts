/**
 * `release.match`: are the events of the measured launch those that the relying party knows to be good? Exact lines are
 * compared with reference values, what a site chose by rule. Every line counts until the next boot, also of an earlier
 * launch: what ran then may have left something behind.
 */

import { clause, type Clause } from '../shared/sentence.js';
import type { JsonObject } from '../shared/strict-json.js';
import { DOUBTFUL, inForce, isExact, LAUNCH, REQUIRED, SITE, type LogEvent } from './event-log.js';
import type { Outcome } from './outcome.js';
import { series } from './reason.js';
import type { References } from './references.js';
import { judgeSite, SiteError } from './site.js';

/** These belong together: one document of reference values must know all of them. */
const TOGETHER = ['release', 'python', 'settings'];

const fail = (key: Outcome['key'], params: Outcome['params'] = {}): Outcome => ({ status: 'fail', key, params });

function incomplete(now: LogEvent[]): Outcome | null {
	const count = (name: string) => now.filter(({ operation }) => operation === name).length;
	const missing = REQUIRED.filter((name) => count(name) === 0).join(', ');
	if (missing) return fail('tee.check.release.match.gaps', { missing });
	const names = REQUIRED.filter((name) => count(name) > 1).join(', ');
	return names ? fail('tee.check.release.match.twice', { names }) : null;
}

/** The release and the origin that the attester names must be those of the launch. */
function unbound(now: LogEvent[], bound: JsonObject): Outcome | null {
	const measured = (operation: string, member: string) => {
		const value = now.find((event) => event.operation === operation)?.content[member];
		return typeof value === 'string' ? value : JSON.stringify(value ?? null);
	};
	for (const [name, operation, member, key] of [
		['release', 'release', 'sha384', 'tee.check.release.match.attester'],
		['origin', SITE, 'origin', 'tee.check.release.match.origin']
	] as const) {
		const [actual, expected] = [bound[name], measured(operation, member)];
		if (actual !== undefined && actual !== expected) return fail(key, { actual: String(actual), expected });
	}
	return null;
}

function doubts(events: LogEvent[], launches: LogEvent[][]): Clause[] {
	const found = DOUBTFUL.filter(({ operation }) => events.some((event) => event.operation === operation)).map(
		({ sentence }) => clause(sentence)
	);
	for (const event of events) if (event.operation === SITE) found.push(...judgeSite(event.content));
	const now = new Set(launches.at(-1)!.map(({ text }) => text));
	const before = launches.slice(0, -1).flatMap((launch) => launch.filter(({ text }) => !now.has(text)));
	const changed = TOGETHER.filter((name) => before.some(({ operation }) => operation === name));
	if (changed.length > 0)
		found.push(clause('an earlier launch of this boot ran with another {{names}}', { names: changed.join(', ') }));
	const said = found.map((one) => JSON.stringify(one));
	return found.filter((_, index) => said.indexOf(said[index]!) === index);
}

/**
 * What is left to say once every event is known: which launch is in force, that it is whole, known together to one of
 * `documents` (sets of lines), the attester's (`bound`: the runtime data, as far as it was proven), and what is doubtful.
 */
export function judgeLaunch(events: LogEvent[], documents: string[][], bound: JsonObject, good: Outcome): Outcome {
	if (events.at(-1)?.operation !== LAUNCH) return fail('tee.check.release.match.unended');
	const launches = inForce(events);
	const now = launches.at(-1)!;
	const gap = incomplete(now);
	if (gap) return gap;
	const together = now.filter(({ operation }) => TOGETHER.includes(operation));
	if (!documents.some((lines) => together.every(({ text }) => lines.includes(text))))
		return fail('tee.check.release.match.apart', { names: TOGETHER.join(', ') });
	const other = unbound(now, bound);
	if (other) return other;
	try {
		const found = doubts(events, launches);
		if (found.length === 0) return good;
		const params = { count: events.length, doubts: series(found) };
		return { status: 'warn', key: 'tee.check.release.match.doubtful', params };
	} catch (error) {
		if (!(error instanceof SiteError)) throw error;
		return fail('tee.check.release.match.site', { reason: error.clause });
	}
}

/** Every event equals a reference, and the launch is whole. `bound`: the quote's runtime data, as far as it was proven. */
export function matchRelease(events: LogEvent[], references: References, bound: JsonObject): Outcome {
	const allowed = new Set(references.documents.flat());
	const stranger = events.find((event) => isExact(event) && !allowed.has(event.text));
	if (!stranger) {
		const params = { count: events.length, name: references.name };
		return judgeLaunch(events, references.documents, bound, {
			status: 'pass',
			key: 'tee.check.release.match.pass',
			params
		});
	}
	const prefix = `${stranger.domain} ${stranger.operation} `;
	const known = [...allowed].filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
	return fail('tee.check.release.match.fail', {
		component: stranger.operation,
		name: references.name,
		actual: stranger.text.slice(prefix.length).slice(0, 600),
		expected: known.slice(0, 4).join(' or ').slice(0, 1200) || clause('no such event')
	});
}
