/**
 * Attestation services that a person may ask as well. The page asks them itself: an answer that passed through the
 * server being judged would be worth nothing without its signature, and its absence would tell nothing.
 */

import { alibaba } from '../data/services.json';
import { fromHex, toBase64, toBase64url, utf8 } from '../shared/bytes.js';
import type { ServiceToken } from '../shared/evidence.js';
import { SERVICE_PATHS, serviceBase } from '../shared/service-address.js';
import { clause, verbatim, type Clause } from '../shared/sentence.js';
import type { JsonObject } from '../shared/strict-json.js';
import type { ServiceChoice } from '../verifier.js';
import type { TeeConfig } from './config.js';
import { RoundError } from './failure.js';
import type { Memory } from './memory.js';
import type { QuoteAnswer } from './server.js';

const TIMEOUT_MS = 8_000;

/** The browser's own `fetch`, taken before the guard stands in front of it: services get evidence, never content. */
const send = globalThis.fetch.bind(globalThis);

/** The documented solution's service. */
export const ALIBABA_URL = alibaba.url;

/** The person's choice; without one, what the server's administrator proposes. */
export const chosenService = (memory: Memory, config: TeeConfig | null): ServiceChoice | null => {
	const own = memory.service;
	const kind = own?.kind ?? config?.service ?? 'none';
	if (kind !== 'alibaba' && kind !== 'trustee') return null;
	const url = (own ? own.url : config?.service_url) || (kind === 'alibaba' ? ALIBABA_URL : '');
	const key = (own ? own.key : config?.service_key) || undefined;
	return { kind, url, ...(key && { key }) };
};

/** Whether the pages' policy, which the launch fixed, lets them ask the service at `url`, an address. */
export const mayAsk = (url: string, config: TeeConfig | null): boolean =>
	config === null || config.service_origins.includes(new URL(url).origin);

/** The evidence as both services take it: base64url of a JSON with the quote in standard base64. */
const evidenceOf = (evidence: QuoteAnswer): string =>
	toBase64url(
		utf8(
			JSON.stringify({
				quote: toBase64(fromHex(evidence.quote)),
				aa_eventlog: evidence['event_log'] || null,
				cc_eventlog: null
			})
		)
	);

type Body = JsonObject;

const alibabaBody = (evidence: QuoteAnswer): Body => ({
	tee: 'tdx',
	evidence: evidenceOf(evidence),
	policy_ids: []
});

/** Trustee from 0.14 on takes a list of requests, before that one flat object. */
const trusteeBodies = (evidence: QuoteAnswer): [newer: Body, older: Body] => {
	const request = {
		tee: 'tdx',
		evidence: evidenceOf(evidence),
		runtime_data: { structured: evidence['runtime_data'] ?? null },
		runtime_data_hash_algorithm: 'sha384'
	};
	return [
		{ verification_requests: [request], policy_ids: [] },
		{ ...request, policy_ids: [] }
	];
};

const post = async (url: string, body: Body): Promise<string> => {
	const response = await send(url, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify(body),
		credentials: 'omit',
		referrerPolicy: 'no-referrer',
		signal: AbortSignal.timeout(TIMEOUT_MS)
	});
	const text = (await response.text()).trim();
	if (!response.ok) throw new RoundError('it answered with status {{status}}', { status: response.status });
	if (!text) throw new RoundError('it answered nothing');
	return text;
};

/** A token for `evidence`, in the first of the service's request shapes that it answers. */
const tokenOf = async ({ kind, url }: ServiceChoice, evidence: QuoteAnswer): Promise<string> => {
	const address = serviceBase(kind, url) + SERVICE_PATHS[kind];
	if (kind === 'alibaba') return post(address, alibabaBody(evidence));
	const [newer, older] = trusteeBodies(evidence);
	return post(address, newer).catch(() => post(address, older));
};

/** The keys that Alibaba Cloud's service publishes, from the service itself; a pinned key needs none. */
const keysOf = async ({ kind, url, key }: ServiceChoice): Promise<ServiceChoice['jwks']> => {
	if (kind !== 'alibaba' || key) return undefined;
	const response = await send(new URL('/jwks.json', url), {
		credentials: 'omit',
		signal: AbortSignal.timeout(TIMEOUT_MS)
	});
	return (await response.json()) as ServiceChoice['jwks'];
};

/** Why a browser could not ask: it does not tell a refused origin (CORS) from a broken line. */
const problemOf = (error: unknown): Clause => {
	const { name, message } = error as Error;
	if (error instanceof RoundError) return error.clause;
	if (name === 'TimeoutError') {
		return clause('it did not answer within {{seconds}} seconds', { seconds: TIMEOUT_MS / 1000 });
	}
	if (name !== 'TypeError') return verbatim(message);
	return clause(
		'it cannot be reached, or does not allow pages of {{origin}} to ask it (Trustee: --allowed_origin)',
		{ origin: window.location.origin }
	);
};

/** Ask `service` about `evidence`: its token for the bundle, and the choice with the keys, or the problem, added. */
export const consult = async (
	service: ServiceChoice,
	evidence: QuoteAnswer
): Promise<{ tokens: ServiceToken[]; choice: ServiceChoice }> => {
	try {
		const [token, jwks] = await Promise.all([tokenOf(service, evidence), keysOf(service)]);
		const tokens = [{ service: service.kind, url: serviceBase(service.kind, service.url), token }];
		return { tokens, choice: { ...service, ...(jwks !== undefined && { jwks }) } };
	} catch (error) {
		return { tokens: [], choice: { ...service, problem: problemOf(error) } };
	}
};
