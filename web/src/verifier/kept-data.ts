/**
 * `data.protected`: does what the service keeps lie encrypted on its disk, under a key whose owner the launch measured? The
 * evidence says how the data lies, the log whose it is and what encrypts it. Without the second, whoever holds the disk could
 * offer an empty one and open it with a key of their own.
 */

import builds from '../data/programs.json';
import { clause, type Clause } from '../shared/sentence.js';
import type { JsonObject } from '../shared/strict-json.js';
import { canonicalize, encrypts, inForce, LAUNCH, SITE, type LogEvent } from './event-log.js';
import type { Outcome } from './outcome.js';
import type { RuntimeData } from './runtime-data.js';
import { judgeSite, keepersElsewhere, SHOWN, SiteError } from './site.js';

const NOBODY = clause('nobody');
const BUILDS: Record<string, { version: string; origin: string; sha384: string }[]> = builds;

const warn = (key: Outcome['key'], params: Outcome['params'] = {}): Outcome => ({ status: 'warn', key, params });
const fail = (key: Outcome['key'], params: Outcome['params'] = {}): Outcome => ({ status: 'fail', key, params });

function notEncrypted(state: string | undefined, measured: string[]): Outcome {
	if (measured.length > 0) {
		const actual = state === undefined ? clause('nothing') : clause('plain text');
		return fail('tee.check.data.protected.denied', { expected: measured[0]!, actual });
	}
	return warn(state === undefined ? 'tee.check.data.protected.unsaid' : 'tee.check.data.protected.plain');
}

/** Evidence and log do not name the same owner. */
function otherOwner(owner: string | undefined, measured: string[]): Outcome {
	const expected = measured.length > 0 ? measured.join(', ') : NOBODY;
	return fail('tee.check.data.protected.owner', { actual: owner ?? NOBODY, expected });
}

/**
 * The program with its version and whose build it is, where that is known by its hash: for people, as whether it may be there
 * is `release.match`'s to say.
 */
function named({ operation, content }: LogEvent): string | Clause {
	const known = (BUILDS[operation] ?? []).find(
		({ version, sha384 }) => canonicalize(content) === canonicalize({ version, sha384 })
	);
	if (known) return `${operation} ${known.version} (${known.origin})`;
	return clause('{{program}}, of an origin that this verifier does not know', { program: operation });
}

function encrypted(owner: string, site: JsonObject, platform: Outcome, program: LogEvent): Outcome {
	const elsewhere = keepersElsewhere(site);
	if (elsewhere.length > 0)
		return warn('tee.check.data.protected.elsewhere', { owner, settings: elsewhere.join(', ') });
	if (platform.status !== 'pass') return warn('tee.check.data.protected.platform');
	if (!Object.hasOwn(site, 'data_trustee'))
		return { status: 'pass', key: 'tee.check.data.protected.pass', params: { owner, program: named(program) } };
	const where = String(site['data_trustee']).slice(0, SHOWN);
	return { status: 'pass', key: 'tee.check.data.protected.trustee', params: { owner, where, program: named(program) } };
}

/**
 * `events`: of the log that replays, none for a launch that was not measured; `bound`: the proven runtime data; `platform`: the
 * answer of `platform.match`, without which "encrypted" is the word of programs that nobody knows.
 */
export function checkData(events: LogEvent[], bound: RuntimeData, platform: Outcome): Outcome {
	const now = events.at(-1)?.operation === LAUNCH ? inForce(events).at(-1)! : [];
	const sites = now.filter(({ operation }) => operation === SITE).map(({ content }) => content);
	try {
		sites.forEach(judgeSite);
	} catch (error) {
		if (!(error instanceof SiteError)) throw error;
		return fail('tee.check.data.protected.site', { reason: error.clause });
	}
	const measured = sites.filter((site) => Object.hasOwn(site, 'data_owner')).map((site) => String(site['data_owner']));
	const { data } = bound;
	if (data?.state !== 'encrypted') return notEncrypted(data?.state, measured);
	if (events.length === 0) return warn('tee.check.data.protected.unmeasured');
	const { owner } = data;
	if (owner === undefined || measured.length !== 1 || measured[0] !== owner) return otherOwner(owner, measured);
	const program = now.find(encrypts);
	return program ? encrypted(owner, sites[0]!, platform, program) : fail('tee.check.data.protected.program');
}
