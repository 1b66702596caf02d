/** The shapes that the shield, the panel and the guard share. */

/** How one check ended; `skipped` only where a person chose no attestation service. */
export type Status = 'pass' | 'warn' | 'fail' | 'skipped';

/**
 * `key` and `params` name the sentence for translation; `detail` is the same sentence in English. `texts` are those of
 * `params` that are sentences themselves, such as the reason for a refusal.
 */
export type Check = {
	id: string;
	status: Status;
	title: string;
	detail: string;
	key: string;
	params: Record<string, string | number>;
	texts?: Record<string, Sentence>;
};

export type Overall = 'verified' | 'incomplete' | 'simulated' | 'not-acceptable' | 'not-genuine';

/** What the verifier made of a bundle; `facts` are for reading, the checks alone decide. */
export type Report = {
	v: 1;
	overall: Overall;
	checks: Check[];
	facts: Facts;
	seen: Record<string, unknown>;
	elapsed_ms: number;
};

export type Certificate = {
	subject: string;
	issuer: string;
	notBefore: string;
	notAfter: string;
	sha256: string;
};

export type Facts = {
	quote?: Record<string, string | number>;
	attributes?: { td_attributes: string[]; xfam: string[] };
	chain?: Certificate[];
	tcb?: { status: string; advisories: string[]; date: string; evaluation: string; issued: string; due: string };
	service_claims?: Record<string, unknown>;
};

/** Measurements that a person trusted: made, read and compared by the verifier. */
export type Snapshot = { v: 1; time: string; platform: Record<string, string>; events: string[] };

export type Difference = {
	part: 'platform' | 'event';
	field: string;
	trusted: string | null;
	now: string | null;
};

export type ServiceChoice = {
	kind: 'alibaba' | 'trustee';
	url: string;
	key?: string;
	/** Keys that the service itself published. */
	jwks?: unknown;
	/** Why it could not be asked. */
	problem?: Sentence;
};

/** What `GET /api/v1/tee/quote` answers; only `quote`, `runtime_data` and `event_log` are judged. */
export type Evidence = {
	quote: string;
	runtime_data: Record<string, unknown>;
	event_log: string;
	tee: string;
	timestamp?: string;
	id?: string;
};

export type Collateral = Record<string, string>;

export type Gate = 'off' | 'warn' | 'block';

/** What `GET /api/v1/tee/config` answers: proposals, which may lower a verdict and never raise it. */
export type TeeConfig = {
	service: 'none' | 'alibaba' | 'trustee';
	service_url: string | null;
	service_key: string | null;
	gate: Gate;
	max_age_s: number;
	tee: string;
	launch: string;
};

/** Reference values: the lines an event log may hold, and the platforms it may run on. */
export type References = { name: string; events: string[]; platforms: Record<string, string>[] };

/** The whole of one appraisal in one file; both verifiers read and write it. */
export type Bundle = {
	v: 1;
	time: string;
	nonce: string;
	connected: { origin: string; tls_spki_sha256?: string };
	evidence: Evidence;
	collateral: Collateral | null;
	service_tokens: { service: string; url: string; token: string }[];
};

/** A sentence in English, which is also its translation key, and its values, which may be sentences themselves. */
export type Sentence = { text: string; values?: Record<string, unknown> };

/** Milliseconds that each part of a round took. */
export type Timings = Record<string, number>;

export type Shield = 'red' | 'amber' | 'green';
