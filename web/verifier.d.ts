/** Types of verifier.js. tests keep this file equal to the sources' own types. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export type CheckId =
	| 'quote.format'
	| 'quote.signature'
	| 'quote.tcb'
	| 'quote.debug'
	| 'tee.real'
	| 'binding.nonce'
	| 'binding.channel'
	| 'eventlog.replay'
	| 'release.match'
	| 'platform.match'
	| 'service.token';
export type Status = 'pass' | 'warn' | 'fail' | 'skipped';
export type Overall = 'verified' | 'incomplete' | 'simulated' | 'not-acceptable' | 'not-genuine';

/** A template in English, which is its translation's key too, and the values of its {{placeholders}}. */
export interface Clause {
	text: string;
	values: Record<string, string | number | Clause>;
}
export interface Check {
	id: CheckId;
	status: Status;
	title: string;
	/** English, values included. */
	detail: string;
	/** Key of `messages`, for translations; `params` fill its {{placeholders}}. The title's key is `tee.check.<id>.title`. */
	key: string;
	params: Record<string, string | number>;
	/** Those of `params` that are words of the verifier's own, such as `reason`: to be translated before the sentence. */
	texts?: Record<string, Clause>;
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
	mr_signer_seam: string;
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
	mr_service_td?: string;
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
	qe_report: string;
	qe_isv_svn: number;
	signature: string;
	attestation_key: string;
	size: number;
	hex: string;
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
	qe_status: string;
	advisories: string[];
	date: string;
	evaluation: number;
	fmspc: string;
	pce_svn: number;
	issued: string;
	due: string;
}
export interface LogEvent {
	line: number;
	text: string;
	domain: string;
	operation: string;
	content: JsonObject;
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
export interface Connected {
	origin: string;
	tls_spki_sha256?: string;
}
export interface Evidence {
	v: 1;
	time: string;
	nonce: string | null;
	connected: Connected | null;
	evidence: JsonObject;
	collateral: Json;
	service_tokens: ServiceToken[];
}
export interface ServiceChoice {
	kind: 'alibaba' | 'trustee';
	url: string;
	key?: string;
	/** A JWKS fetched from the service itself, or pinned. */
	jwks?: { keys: JsonObject[] };
	/** Why the service could not be asked, where it could not: a warning then. */
	problem?: string | Clause;
}
/** The shape of the command line's policy file; every member may be left out. The defaults are strict. */
export interface Policy {
	v?: 1;
	tcb?: {
		accepted_statuses?: string[];
		refused_advisories?: string[];
		accepted_advisories?: string[];
		min_tcb_evaluation_data_number?: number;
		min_tee_tcb_svn?: string;
		min_pce_svn?: number;
		min_qe_isv_svn?: number;
		allow_dynamic_platform?: boolean;
		allow_cached_keys?: boolean;
		allow_smt?: boolean;
	};
	/** Lists of allowed values; `mr_service_td`: the service TDs that may be bound to the TD. */
	platform?: Partial<Record<keyof Platform | 'mr_service_td', string[]>> & { allow_migration?: boolean };
	services?: { required?: ('alibaba' | 'trustee')[] };
	freshness?: { max_age_s?: number };
}
export type Platform = Record<'mr_td' | 'rtmr_0' | 'rtmr_1' | 'rtmr_2' | 'xfam' | 'td_attributes' | 'mr_seam', string>;
export interface References {
	name: string;
	events: string[];
	/** Without `mr_service_td` no service TD is expected. */
	platforms: (Platform & { mr_service_td?: string })[];
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
/** Numbers of the newest collateral seen; older collateral is refused. */
export interface Seen {
	tcb_evaluation_data_number: number;
	root_ca_crl_number: number;
	pck_crl_number: number;
}
export type SeenByRoot = Record<'intel' | 'simulator', Seen>;

export interface VerifyInput {
	bundle: Evidence | string;
	/** One document of reference values or several, as objects or as JSON text. */
	references?: unknown;
	policy?: Policy;
	/** Asked only where no reference values are held. */
	trusted?: Snapshot;
	now?: string;
	service?: ServiceChoice | ServiceChoice[];
	seen?: Partial<Record<keyof SeenByRoot, Partial<Seen>>>;
}
export interface Facts {
	quote?: ParsedQuote;
	attributes?: { td_attributes: string[]; xfam: string[] };
	chain?: CertificateSummary[];
	tcb?: TcbFacts;
	events?: LogEvent[];
	service_claims?: Record<string, JsonObject>;
}
export interface Report extends Verdict {
	facts: Facts;
	/** Keep it, and hand it back as `seen` the next time. */
	seen: SeenByRoot;
	time: string;
	elapsed_ms: number;
}

/** Judge an evidence bundle; throws only for a malformed `now` or `policy`, never for what the server sent. */
export function verify(input: VerifyInput): Promise<Report>;
/** Judge a bare quote: only `quote.*` and `tee.real` are asked. */
export function verifyQuote(quote: unknown, collateral: unknown, options?: Omit<VerifyInput, 'bundle'>): Report;
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
	| 'verify'
	| 'verifyQuote'
	| 'parseQuote'
	| 'attributes'
	| 'certificateChain'
	| 'replay'
	| 'reportData'
	| 'newNonce'
	| 'shield'
	| 'canTrust'
	| 'trustSnapshot'
	| 'compareTrusted'
	| 'readBundle'
	| 'writeBundle'
	| 'parseReferences';
export interface Request {
	id: number | string;
	method: Method;
	/** The function's arguments. */
	params: unknown[];
}
/** `reason` is the error so that it can be translated. */
export type Response = { id: Request['id']; result: unknown } | { id: Request['id']; error: string; reason: Clause };
