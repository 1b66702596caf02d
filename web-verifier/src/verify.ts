/** The judgement: eleven questions in a fixed order, each answered on its own evidence. */

import { attributes, debugBits } from './attributes.js';
import { checkChannel, checkNonce } from './binding.js';
import { fromHex } from './bytes.js';
import { parseChain, summary, type CertificateSummary } from './certificates.js';
import type { Seen } from './collateral.js';
import { checkEventLog, ZERO_REGISTER, type LogEvent } from './event-log.js';
import { asEvidence, readBundle, type Evidence } from './evidence.js';
import { DEFAULT_POLICY, type Policy } from './policy.js';
import { parseQuote, type ParsedQuote } from './quote.js';
import { matchPlatform, matchRelease, parseReferences, type References } from './references.js';
import { checkService, type ServiceChoice } from './service-token.js';
import { checkSignature, type Genuine } from './signature.js';
import type { JsonObject } from './strict-json.js';
import { checkTcb, tcbFacts, type TcbFacts } from './tcb.js';
import { parseTime } from './time.js';
import { matchTrustedPlatform, matchTrustedRelease, parseSnapshot, type Snapshot } from './trust.js';
import { CHECK_IDS, makeCheck, overall, type CheckId, type Outcome, type Verdict } from './verdict.js';

export interface VerifyInput {
	/** The evidence bundle, as an object or as its JSON text. */
	bundle: Evidence | string;
	/** Reference values, as an object or as their JSON text. */
	references?: unknown;
	policy?: Partial<Policy>;
	/** What the person trusted before; asked only where no reference values are held. */
	trusted?: Snapshot;
	/** The time to judge at, ISO 8601 UTC; now where it is missing. */
	now?: string;
	service?: ServiceChoice;
	/** Numbers of the newest collateral seen: older collateral is refused. */
	seen?: Seen;
}

/** What the panel shows beside the checks. Absent parts could not be read; nothing here is a judgement. */
export interface Facts {
	quote?: ParsedQuote;
	attributes?: { td_attributes: string[]; xfam: string[] };
	chain?: CertificateSummary[];
	tcb?: TcbFacts;
	events?: LogEvent[];
	service_claims?: JsonObject;
}

export interface Report extends Verdict {
	facts: Facts;
	/** Keep it, and hand it back as `seen` the next time. */
	seen: Seen;
	/** The time judged at, ISO 8601 UTC. */
	time: string;
	/** How long the judgement took, in milliseconds. */
	elapsed_ms: number;
}

type Outcomes = Partial<Record<CheckId, Outcome>>;

function blocked(check: CheckId): Outcome {
	return { status: 'fail', key: 'tee.check.blocked', params: { check } };
}

/** Read the references once for both matches; an outcome in their place where they cannot be used. */
function readReferences(source: unknown): References | string | null {
	if (source === undefined || source === null) return null;
	try {
		return parseReferences(source);
	} catch (error) {
		return (error as Error).message;
	}
}

function checkDebug(quote: ParsedQuote): Outcome {
	const bits = debugBits(quote.td_attributes);
	const actual = quote.td_attributes;
	if (bits.length === 0) return { status: 'pass', key: 'tee.check.quote.debug.pass', params: { actual } };
	return { status: 'fail', key: 'tee.check.quote.debug.fail', params: { actual, bits: bits.join(', ') } };
}

function checkRelease(quote: ParsedQuote, events: LogEvent[], references: References | string | null, trusted: Snapshot | null): Outcome {
	if (typeof references === 'string') return { status: 'fail', key: 'tee.check.release.match.malformed', params: { reason: references } };
	if (references) return matchRelease(events, references);
	if (trusted) return matchTrustedRelease(events, trusted);
	return { status: 'warn', key: quote.rtmr_3 === ZERO_REGISTER ? 'tee.check.release.match.unmeasured' : 'tee.check.release.match.none' };
}

function checkPlatform(quote: ParsedQuote, references: References | string | null, trusted: Snapshot | null): Outcome {
	if (typeof references === 'string') return { status: 'fail', key: 'tee.check.platform.match.malformed', params: { reason: references } };
	if (references && references.platforms.length > 0) return matchPlatform(quote, references);
	if (trusted) return matchTrustedPlatform(quote, trusted);
	return { status: 'warn', key: 'tee.check.platform.match.none' };
}

function checkGenuine(outcomes: Outcomes, genuine: Genuine | null, policy: Policy): void {
	outcomes['quote.tcb'] = genuine ? checkTcb(genuine, policy) : blocked('quote.signature');
	if (!genuine) outcomes['tee.real'] = blocked('quote.signature');
	else if (genuine.root.real) outcomes['tee.real'] = { status: 'pass', key: 'tee.check.tee.real.pass' };
	else outcomes['tee.real'] = { status: 'fail', key: 'tee.check.tee.real.simulated' };
}

async function judge(input: VerifyInput, outcomes: Outcomes, facts: Facts, now: Date): Promise<Seen> {
	const seen = input.seen ?? {};
	const bundle = typeof input.bundle === 'string' ? readBundle(input.bundle) : asEvidence(input.bundle);
	const { evidence } = bundle;
	const hex = typeof evidence['quote'] === 'string' ? evidence['quote'] : '';
	const quote = parseFormat(hex, outcomes);
	if (!quote) return seen;
	facts.quote = quote;
	facts.attributes = attributes(quote);
	const { outcome, genuine } = checkSignature(quote, fromHex(hex), bundle.collateral, now, seen);
	outcomes['quote.signature'] = outcome;
	checkGenuine(outcomes, genuine, { ...DEFAULT_POLICY, ...input.policy });
	if (genuine) {
		facts.chain = genuine.chain.map(summary);
		facts.tcb = tcbFacts(genuine);
	}
	outcomes['quote.debug'] = checkDebug(quote);
	outcomes['binding.nonce'] = checkNonce(quote, evidence['runtime_data'], bundle.nonce);
	outcomes['binding.channel'] = checkChannel(evidence['runtime_data'], bundle.connected);
	const log = checkEventLog(evidence['event_log'], quote.rtmr_3);
	outcomes['eventlog.replay'] = log.outcome;
	facts.events = log.events;
	const references = readReferences(input.references);
	const trusted = parseSnapshot(input.trusted);
	outcomes['release.match'] = log.outcome.status === 'fail' ? blocked('eventlog.replay') : checkRelease(quote, log.events, references, trusted);
	outcomes['platform.match'] = checkPlatform(quote, references, trusted);
	const service = await checkService(bundle, quote, input.service, now);
	outcomes['service.token'] = service.outcome;
	if (service.claims) facts.service_claims = service.claims;
	return genuine?.seen ?? seen;
}

function parseFormat(hex: string, outcomes: Outcomes): ParsedQuote | null {
	try {
		const quote = parseQuote(hex);
		const params = { version: quote.version, body: quote.body, size: quote.size };
		outcomes['quote.format'] = { status: 'pass', key: 'tee.check.quote.format.pass', params };
		return quote;
	} catch (error) {
		outcomes['quote.format'] = { status: 'fail', key: 'tee.check.quote.format.malformed', params: { reason: (error as Error).message } };
		return null;
	}
}

/** What was not reached is a failure, named after the check that stopped the rest. */
function complete(outcomes: Outcomes, hasService: boolean): Verdict {
	const stopped = CHECK_IDS.find((id) => outcomes[id]?.status === 'fail') ?? 'quote.format';
	const checks = CHECK_IDS.map((id) => {
		const none: Outcome = { status: 'skipped', key: 'tee.check.service.token.none' };
		return makeCheck(id, outcomes[id] ?? (id === 'service.token' && !hasService ? none : blocked(stopped)));
	});
	return { v: 1, overall: overall(checks), checks };
}

/**
 * Judge an evidence bundle. Never throws for what the server sent: malformed evidence is a verdict too. Establishes what
 * the checks that pass say, as of `now`; a verdict made by a page proves no more than the page itself can be trusted.
 */
export async function verify(input: VerifyInput): Promise<Report> {
	const started = performance.now();
	const now = input.now === undefined ? new Date() : parseTime(input.now);
	if (!now) throw new TypeError(`now is ${JSON.stringify(input.now)}, not a time such as 2025-07-01T00:00:00Z.`);
	const outcomes: Outcomes = {};
	const facts: Facts = {};
	let seen = input.seen ?? {};
	try {
		seen = await judge(input, outcomes, facts, now);
	} catch (error) {
		const id = CHECK_IDS.find((one) => outcomes[one] === undefined) ?? 'quote.format';
		outcomes[id] = { status: 'fail', key: 'tee.check.quote.format.bundle', params: { reason: (error as Error).message } };
	}
	const verdict = complete(outcomes, input.service !== undefined);
	return { ...verdict, facts, seen, time: now.toISOString(), elapsed_ms: performance.now() - started };
}

/** The certificates inside a quote, leaf first, unjudged. */
export function certificateChain(quote: string | Uint8Array): CertificateSummary[] {
	return parseChain(parseQuote(quote).pck_chain, 'PCK chain').map(summary);
}
