/** Types of verifier.js. tests keep this file equal to the sources' own types. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type CheckId =
	| 'quote.format' | 'quote.signature' | 'quote.tcb' | 'quote.debug' | 'tee.real' | 'binding.nonce' | 'binding.channel'
	| 'eventlog.replay' | 'release.match' | 'platform.match' | 'service.token';
export type Status = 'pass' | 'warn' | 'fail' | 'skipped';
export type Overall = 'verified' | 'incomplete' | 'simulated' | 'not-acceptable' | 'not-genuine';

export interface Check {
	id: CheckId;
	status: Status;
	title: string;
	/** English, values included. */
	detail: string;
	/** Key of `messages`, for translations; `params` fill its {{placeholders}}. The title's key is `tee.check.<id>.title`. */
	key: string;
	params: Record<string, string | number>;
}
export interface Verdict {
	v: 1;
	overall: Overall;
	checks: Check[];
}

/** All values lower-case hex of the raw bytes. */
export interface TdReport {
	tee_tcb_svn: string;
	mr_seam: string;
	mrsigner_seam: string;
	seam_attributes: string;
	td_attributes: string;
	xfam: string;
	mr_td: string;
	mr_config_id: string;
	mr_owner: string;
	mr_owner_config: string;
	rtmr_0: string;
	rtmr_1: string;
	rtmr_2: string;
	rtmr_3: string;
	report_data: string;
	tee_tcb_svn2?: string;
	mr_servicetd?: string;
}
export interface ParsedQuote extends TdReport {
	version: 4 | 5;
	att_key_type: number;
	tee_type: number;
	vendor_id: string;
	user_data: string;
	body: 'td-1.0' | 'td-1.5';
	signed_size: number;
	pck_chain: string;
	qe_auth_size: number;
	size: number;
}
export interface CertificateSummary {
	subject: string;
	issuer: string;
	notBefore: string;
	notAfter: string;
	sha256: string;
}
export interface TcbFacts {
	status: string;
	advisories: string[];
	date: string;
	evaluation: string;
	fmspc: string;
	issued: string;
	due: string;
}
export interface LogEvent {
	line: number;
	text: string;
	domain: string;
	operation: string;
	content: JsonObject | null;
	digest: string;
}
export interface Replay {
	rtmr_3: string;
	events: LogEvent[];
}

export interface ServiceToken {
	service: string;
	url: string;
	token: string;
}
export interface Evidence {
	v: 1;
	time: string;
	nonce: string;
	connected: { origin?: string; tls_spki_sha256?: string };
	evidence: JsonObject;
	collateral: JsonObject | null;
	service_tokens: ServiceToken[];
}
export interface ServiceChoice {
	kind: 'alibaba' | 'trustee';
	url: string;
	key?: string;
	jwks?: { keys: JsonObject[] };
}
export interface Policy {
	tcb_statuses: string[];
	refused_advisories: string[];
}
export type Platform = Record<'mr_td' | 'rtmr_0' | 'rtmr_1' | 'rtmr_2' | 'xfam' | 'td_attributes' | 'mr_seam', string>;
export interface References {
	name: string;
	events: string[];
	platforms: Platform[];
}
export interface Snapshot {
	v: 1;
	time: string;
	platform: Platform;
	events: string[];
}
export interface Difference {
	part: 'platform' | 'event';
	field: string;
	trusted: string | null;
	now: string | null;
}
export type Seen = Record<string, string>;

export interface VerifyInput {
	bundle: Evidence | string;
	references?: unknown;
	policy?: Partial<Policy>;
	trusted?: Snapshot;
	now?: string;
	service?: ServiceChoice;
	seen?: Seen;
}
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
	seen: Seen;
	time: string;
	elapsed_ms: number;
}

/** Judge an evidence bundle; throws only for a malformed `now`, never for what the server sent. */
export function verify(input: VerifyInput): Promise<Report>;
/** Unjudged; throws in one sentence where it is no TDX quote of version 4 or 5. */
export function parseQuote(quote: string | Uint8Array): ParsedQuote;
export function attributes(quote: { td_attributes: string; xfam: string }): { td_attributes: string[]; xfam: string[] };
export function debugBits(td_attributes: string): string[];
/** Unjudged, leaf first. */
export function certificateChain(quote: string | Uint8Array): CertificateSummary[];
export function replay(eventLog: string): Replay;
/** 64 bytes, hex. */
export function reportData(runtimeData: JsonObject): string;
/** 32 random bytes, base64url. */
export function newNonce(): string;
export function shield(verdict: Pick<Verdict, 'checks'>): 'red' | 'amber' | 'green';
/** All quote and binding checks passed. */
export function canTrust(verdict: Pick<Verdict, 'checks'>): boolean;
export function trustSnapshot(bundle: Evidence, time: string): Snapshot;
export function compareTrusted(snapshot: Snapshot, bundle: Evidence): Difference[];
export function readBundle(text: string): Evidence;
export function writeBundle(bundle: Evidence): string;
export function parseReferences(source: unknown): References;
export const CHECK_IDS: readonly CheckId[];
/** English sentences by key; placeholders are i18next's. */
export const messages: Readonly<Record<string, string>>;

/** In a worker, verifier.js answers these messages. */
export type Method =
	| 'verify' | 'parseQuote' | 'attributes' | 'certificateChain' | 'replay' | 'reportData' | 'newNonce' | 'shield' | 'canTrust'
	| 'trustSnapshot' | 'compareTrusted' | 'readBundle' | 'writeBundle' | 'parseReferences';
export interface Request {
	id: number | string;
	method: Method;
	/** The function's arguments. */
	params: unknown[];
}
export type Response = { id: Request['id']; result: unknown } | { id: Request['id']; error: string };
