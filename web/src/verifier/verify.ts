/** The judgement: twelve questions in a fixed order, each answered on its own evidence. */

import { attributes, checkDebug } from './attributes.js';
import { checkNonce } from './binding.js';
import { checkChannel } from './channel.js';
import { parseChain, summary, type CertificateSummary } from './certificates.js';
import { asSeen, type Seen, type SeenByRoot } from './collateral.js';
import { checkEventLog, releaseInForce, type LogEvent } from './event-log.js';
import { asEvidence, readBundle, type Evidence } from '../shared/evidence.js';
import { fullPolicy, type FullPolicy, type Policy } from './policy.js';
import { checkData } from './kept-data.js';
import { parseQuote, QuoteFormatError, type ParsedQuote } from './quote.js';
import { clause, type Clause } from '../shared/sentence.js';
import { reasonOf } from './reason.js';
import {
	matchPlatform,
	judgePrograms,
	parseReferences,
	platformFields,
	refusedByPolicy,
	type References
} from './references.js';
import { matchRelease } from './release.js';
import type { RuntimeData } from './runtime-data.js';
import type { ServiceChoice } from './service-choice.js';
import { checkServices } from './service-token.js';
import { checkSignature, type Genuine } from './signature.js';
import type { JsonObject } from '../shared/strict-json.js';
import { checkTcb, tcbFacts, type TcbFacts } from './tcb.js';
import { parseTime } from '../shared/time.js';
import { matchTrustedPlatform, matchTrustedRelease, parseSnapshot, type Snapshot } from './trust.js';
import { BARE_CHECK_IDS, CHECK_IDS, overall, type CheckId, type Verdict } from '../shared/verdict.js';
import { makeCheck, type Outcome } from './outcome.js';

export interface VerifyInput {
	/** The evidence bundle, as an object or as its JSON text. */
	bundle: Evidence | string;
	/** One document of reference values or several, as objects or as JSON text. */
	references?: unknown;
	policy?: Policy;
	/** What the person trusted before; asked only where no reference values are held. */
	trusted?: Snapshot;
	/** The time to judge at, ISO 8601 UTC; now where it is missing. */
	now?: string;
	service?: ServiceChoice | ServiceChoice[];
	/** Numbers of the newest collateral seen: older collateral is refused. */
	seen?: Partial<Record<keyof SeenByRoot, Partial<Seen>>>;
}

/** What the panel shows beside the checks. Absent parts could not be read; nothing here is a judgement. */
export interface Facts {
	quote?: ParsedQuote;
	attributes?: { td_attributes: string[]; xfam: string[] };
	chain?: CertificateSummary[];
	tcb?: TcbFacts;
	events?: LogEvent[];
	/** SHA-384 (hex) of the release that the log puts in force. */
	release?: string | null;
	/** Payloads of valid service tokens, by service. */
	service_claims?: Record<string, JsonObject>;
}

export interface Report extends Verdict {
	facts: Facts;
	/** Keep it, and hand it back as `seen` the next time. */
	seen: SeenByRoot;
	/** The time judged at, ISO 8601 UTC. */
	time: string;
	/** How long the judgement took, in milliseconds. */
	elapsed_ms: number;
}

/** What the relying party holds, read once. */
interface Held {
	policy: FullPolicy;
	/** A clause is why they cannot be used. */
	references: References | Clause | null;
	trusted: Snapshot | null;
	services: ServiceChoice[];
	seen: SeenByRoot;
}

type Outcomes = Partial<Record<CheckId, Outcome>>;

const blocked = (check: CheckId): Outcome => ({ status: 'fail', key: 'tee.check.blocked', params: { check } });
const malformed = (check: 'release.match' | 'platform.match', reason: Clause): Outcome => ({
	status: 'fail',
	key: `tee.check.${check}.malformed`,
	params: { reason }
});

function readReferences(source: unknown): References | Clause | null {
	if (source === undefined || source === null) return null;
	try {
		return parseReferences(source);
	} catch (error) {
		return reasonOf(error);
	}
}

function hold(input: Omit<VerifyInput, 'bundle'>): Held {
	const { service } = input;
	return {
		policy: fullPolicy(input.policy),
		references: readReferences(input.references),
		trusted: parseSnapshot(input.trusted),
		services: service === undefined ? [] : Array.isArray(service) ? service : [service],
		seen: asSeen(input.seen)
	};
}

function checkRelease(events: LogEvent[], { references, trusted }: Held, bound: JsonObject): Outcome {
	if (references && 'text' in references) return malformed('release.match', references);
	if (references && references.documents.length > 0) return matchRelease(events, references, bound);
	const unmeasured = events.length === 0;
	if (trusted && !(unmeasured && trusted.events.length === 0))
		return matchTrustedRelease(events, trusted, bound);
	return { status: 'warn', key: unmeasured ? 'tee.check.release.match.unmeasured' : 'tee.check.release.match.none' };
}

function checkPlatform(quote: ParsedQuote, { references, trusted, policy }: Held, bootLog: unknown): Outcome {
	if (references && 'text' in references) return malformed('platform.match', references);
	const administrator = policy.platform.trust_administrator === true;
	const refused = refusedByPolicy(quote, policy.platform);
	if (refused) return refused;
	if (references && references.platforms.length > 0)
		return matchPlatform(quote, references, policy.platform, bootLog);
	if (platformFields.every((field) => policy.platform[field]))
		return judgePrograms(clause("all platform measurements are in the policy's lists"), [], administrator);
	if (trusted) return matchTrustedPlatform(quote, trusted, administrator);
	return { status: 'warn', key: 'tee.check.platform.match.none' };
}

function checkRoot(genuine: Genuine): Outcome {
	if (genuine.root.marker)
		return { status: 'pass', key: 'tee.check.tee.real.test', params: { marker: genuine.root.marker } };
	return genuine.root.real
		? { status: 'pass', key: 'tee.check.tee.real.pass' }
		: { status: 'fail', key: 'tee.check.tee.real.simulated' };
}

/** The five checks of the quote alone; what is genuine about it, or null where no root signs it. */
function judgeQuote(
	quote: ParsedQuote,
	collateral: unknown,
	held: Held,
	now: Date,
	outcomes: Outcomes,
	facts: Facts
): Genuine | null {
	const { outcome, genuine } = checkSignature(quote, collateral, now, held.seen);
	outcomes['quote.signature'] = outcome;
	if (!genuine) return null;
	facts.chain = genuine.chain.map(summary);
	facts.tcb = tcbFacts(genuine);
	outcomes['quote.tcb'] = checkTcb(genuine, facts.tcb, quote, held.policy.tcb);
	const platforms = held.references && 'platforms' in held.references ? held.references.platforms : [];
	outcomes['quote.debug'] = checkDebug(quote, genuine.refusal, { policy: held.policy.platform, platforms });
	outcomes['tee.real'] = checkRoot(genuine);
	return genuine;
}

/** The checks of what the proven quote is bound to and measured. */
async function judgeBound(
	bundle: Evidence,
	quote: ParsedQuote,
	held: Held,
	now: Date,
	outcomes: Outcomes,
	facts: Facts
): Promise<void> {
	const { evidence } = bundle;
	const nonce = checkNonce(quote, evidence, bundle, now, held.policy.max_age_s);
	const platform = checkPlatform(quote, held, evidence['boot_log']);
	outcomes['binding.nonce'] = nonce;
	// only what report_data binds counts as said by the TD
	const bound = nonce.status !== 'fail' ? (evidence['runtime_data'] as RuntimeData) : null;
	const trust = { platform, administrator: held.policy.platform.trust_administrator === true };
	outcomes['binding.channel'] = bound ? checkChannel(bound, bundle.connected, trust) : blocked('binding.nonce');
	const log = checkEventLog(evidence['event_log'], quote.rtmr_3);
	outcomes['eventlog.replay'] = log.outcome;
	facts.events = log.events;
	if (log.outcome.status !== 'fail') facts.release = releaseInForce(log.events);
	outcomes['release.match'] =
		log.outcome.status === 'fail' ? blocked('eventlog.replay') : checkRelease(log.events, held, bound ?? {});
	outcomes['platform.match'] = platform;
	const service = await checkServices(bundle, quote, held.services, held.policy.required_services, now);
	outcomes['service.token'] = service.outcome;
	facts.service_claims = service.claims;
	if (!bound) outcomes['data.protected'] = blocked('binding.nonce');
	else if (log.outcome.status === 'fail') outcomes['data.protected'] = blocked('eventlog.replay');
	else outcomes['data.protected'] = checkData(log.events, bound, platform);
}

function readQuote(evidence: JsonObject, outcomes: Outcomes, facts: Facts): ParsedQuote | null {
	try {
		if (typeof evidence['quote'] !== 'string') throw new QuoteFormatError('it is missing');
		const quote = parseQuote(evidence['quote']);
		outcomes['quote.format'] = {
			status: 'pass',
			key: 'tee.check.quote.format.pass',
			params: { version: quote.version, body: quote.body, size: quote.size }
		};
		facts.quote = quote;
		facts.attributes = attributes(quote);
		return quote;
	} catch (error) {
		outcomes['quote.format'] = {
			status: 'fail',
			key: 'tee.check.quote.format.malformed',
			params: { reason: reasonOf(error) }
		};
		return null;
	}
}

function readEvidence(source: unknown, outcomes: Outcomes): Evidence | null {
	try {
		return typeof source === 'string' ? readBundle(source) : asEvidence(source);
	} catch (error) {
		outcomes['quote.format'] = {
			status: 'fail',
			key: 'tee.check.quote.format.bundle',
			params: { reason: reasonOf(error) }
		};
		return null;
	}
}

async function judge(source: unknown, held: Held, now: Date, outcomes: Outcomes, facts: Facts): Promise<SeenByRoot> {
	const bundle = readEvidence(source, outcomes);
	const quote = bundle && readQuote(bundle.evidence, outcomes, facts);
	if (!quote) return held.seen;
	const genuine = judgeQuote(quote, bundle.collateral, held, now, outcomes, facts);
	if (!genuine) return held.seen;
	await judgeBound(bundle, quote, held, now, outcomes, facts);
	return genuine.seen;
}

/** What was not asked is a failure, named after the check that stopped the rest. */
function complete(ids: readonly CheckId[], outcomes: Outcomes, { services, policy }: Held): Verdict {
	const stopped = CHECK_IDS.find((id) => outcomes[id]?.status === 'fail') ?? 'quote.format';
	const unchosen = services.length === 0 && policy.required_services.length === 0;
	const rest = (id: CheckId): Outcome =>
		id === 'service.token' && unchosen ? { status: 'skipped', key: 'tee.check.service.token.none' } : blocked(stopped);
	const checks = ids.map((id) => makeCheck(id, outcomes[id] ?? rest(id)));
	return { v: 1, overall: overall(checks), checks };
}

/** Should never be needed: a fault of ours must not look like a judgement, nor leave the person without one. */
function crashed(error: unknown, outcomes: Outcomes): void {
	const id = CHECK_IDS.find((one) => outcomes[one] === undefined) ?? 'quote.format';
	outcomes[id] = { status: 'fail', key: 'tee.check.internal', params: { reason: reasonOf(error) } };
}

function moment(text: string | undefined): Date {
	const now = text === undefined ? new Date() : parseTime(text);
	if (!now) throw new TypeError(`now is ${JSON.stringify(text)}, not a time such as 2025-07-01T00:00:00Z.`);
	return now;
}

/**
 * Judge an evidence bundle. Throws for a malformed `now` or `policy`, never for what the server sent: malformed evidence
 * is a verdict too. Establishes what the checks that pass say, as of `now`; a verdict made by a page that the judged
 * server delivered proves no more than that page can be trusted.
 */
export async function verify(input: VerifyInput): Promise<Report> {
	const started = performance.now();
	const now = moment(input.now);
	const held = hold(input);
	const outcomes: Outcomes = {};
	const facts: Facts = {};
	let { seen } = held;
	try {
		seen = await judge(input.bundle, held, now, outcomes, facts);
	} catch (error) {
		crashed(error, outcomes);
	}
	const verdict = complete(CHECK_IDS, outcomes, held);
	return { ...verdict, facts, seen, time: now.toISOString(), elapsed_ms: performance.now() - started };
}

/**
 * Judge a bare quote (hex) with its collateral: only `quote.*` and `tee.real` are asked. Establishes that the quote is
 * genuine and its platform acceptable; not that it is fresh, nor whose it is.
 */
export function verifyQuote(quote: unknown, collateral: unknown, options: Omit<VerifyInput, 'bundle'> = {}): Report {
	const started = performance.now();
	const now = moment(options.now);
	const held = hold(options);
	const outcomes: Outcomes = {};
	const facts: Facts = {};
	let { seen } = held;
	try {
		const parsed = readQuote({ quote: quote as string }, outcomes, facts);
		const genuine = parsed && judgeQuote(parsed, collateral, held, now, outcomes, facts);
		seen = genuine?.seen ?? seen;
	} catch (error) {
		crashed(error, outcomes);
	}
	const verdict = complete(BARE_CHECK_IDS, outcomes, held);
	return { ...verdict, facts, seen, time: now.toISOString(), elapsed_ms: performance.now() - started };
}

/** The certificates inside a quote, leaf first, unjudged. */
export function certificateChain(quote: string | Uint8Array): CertificateSummary[] {
	return parseChain(parseQuote(quote).pck_chain, clause('PCK chain')).map(summary);
}
