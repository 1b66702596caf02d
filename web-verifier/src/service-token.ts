/**
 * Tokens of attestation services. A service is asked in addition, and can only lower a verdict: its token must be
 * signed by a key that the person's own configuration leads to, be in date, and speak of this very quote.
 */

import { decodeProtectedHeader, importJWK, importSPKI, jwtVerify, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import type { Evidence } from './evidence.js';
import type { ParsedQuote, TdReport } from './quote.js';
import { isObject, parseJson, parseObject, type JsonObject } from './strict-json.js';
import type { Outcome } from './verdict.js';

export interface ServiceChoice {
	kind: 'alibaba' | 'trustee';
	/** Where the service answers; its origin is the issuer and the audience of Alibaba Cloud's tokens. */
	url: string;
	/** The pinned key: PEM (SubjectPublicKeyInfo) or a JWK as JSON. Trustee needs one. */
	key?: string;
	/** Alibaba Cloud's keys, as fetched from the service itself, never from the server being judged. */
	jwks?: { keys: JsonObject[] };
}

export interface ServiceResult {
	outcome: Outcome;
	/** The token's payload once its signature is valid. */
	claims: JsonObject | null;
}

class TokenRefused extends Error {
	constructor(readonly outcome: Outcome) {
		super(outcome.key);
	}
}

const ALGORITHMS = { alibaba: 'RS256', trustee: 'ES256' } as const;
const NAMES = { alibaba: "Alibaba Cloud's attestation service", trustee: 'Trustee' } as const;
const MAX_TOKEN = 256 * 1024;
/** Clocks of honest machines differ by this much at most. */
const CLOCK_TOLERANCE_S = 60;

/** Names of the quote's fields in both services' claims, where they are not ours. */
const CLAIM_FIELDS: Partial<Record<keyof TdReport, string>> = { tee_tcb_svn: 'tcb_svn' };
const REQUIRED: (keyof TdReport)[] = [
	'report_data', 'mr_td', 'rtmr_0', 'rtmr_1', 'rtmr_2', 'rtmr_3', 'mr_seam', 'td_attributes', 'xfam'
];
const OPTIONAL: (keyof TdReport)[] = [
	'mr_config_id', 'mr_owner', 'mr_owner_config', 'mrsigner_seam', 'seam_attributes', 'tee_tcb_svn', 'tee_tcb_svn2', 'mr_servicetd'
];

function invalid(choice: ServiceChoice, reason: string): TokenRefused {
	return new TokenRefused({ status: 'fail', key: 'tee.check.service.token.invalid', params: { service: NAMES[choice.kind], reason } });
}

/** The pinned key of `choice`. */
async function pinnedKey(choice: ServiceChoice, text: string): Promise<CryptoKey | Uint8Array> {
	const algorithm = ALGORITHMS[choice.kind];
	try {
		if (text.includes('-----BEGIN')) return await importSPKI(text.trim(), algorithm);
		return await importJWK(publicJwk(parseObject(text, 'the key'), algorithm), algorithm);
	} catch (error) {
		throw invalid(choice, `the pinned key is no ${algorithm} public key (${(error as Error).message})`);
	}
}

/** A JWK reduced to the public members of the one kind that `algorithm` uses. */
function publicJwk(jwk: JsonObject, algorithm: string): JWK {
	if ((jwk['alg'] ?? algorithm) !== algorithm || (jwk['use'] ?? 'sig') !== 'sig') throw new Error(`it is not for ${algorithm} signatures`);
	const members = algorithm === 'RS256' ? ['kty', 'n', 'e'] : ['kty', 'crv', 'x', 'y'];
	if (jwk['kty'] !== (algorithm === 'RS256' ? 'RSA' : 'EC')) throw new Error(`its type is ${String(jwk['kty'])}`);
	return Object.fromEntries(members.map((name) => [name, jwk[name]])) as JWK;
}

async function keyByKid(choice: ServiceChoice, token: string): Promise<CryptoKey | Uint8Array> {
	const { kid } = decodeProtectedHeader(token);
	const keys = (choice.jwks?.keys ?? []).filter((key) => isObject(key) && typeof kid === 'string' && key['kid'] === kid);
	if (keys.length !== 1) throw invalid(choice, `it names key ${String(kid)}, which the service publishes ${keys.length} times`);
	try {
		return await importJWK(publicJwk(keys[0]!, ALGORITHMS[choice.kind]), ALGORITHMS[choice.kind]);
	} catch (error) {
		throw invalid(choice, `key ${kid} cannot be used (${(error as Error).message})`);
	}
}

async function verifyJwt(choice: ServiceChoice, token: string, now: Date): Promise<JWTPayload> {
	try {
		const key = choice.key ? await pinnedKey(choice, choice.key) : await keyByKid(choice, token);
		const { payload } = await jwtVerify(token, key, {
			algorithms: [ALGORITHMS[choice.kind]],
			currentDate: now,
			clockTolerance: CLOCK_TOLERANCE_S,
			requiredClaims: choice.kind === 'alibaba' ? ['iss', 'aud', 'exp', 'nbf', 'iat'] : ['exp', 'iat'],
			...(choice.kind === 'alibaba' && { issuer: new URL(choice.url).origin, audience: new URL(choice.url).origin })
		});
		if (payload.iat! > now.getTime() / 1000 + CLOCK_TOLERANCE_S) throw new Error('it was issued in the future');
		return payload;
	} catch (error) {
		if (error instanceof TokenRefused) throw error;
		throw invalid(choice, (error as Error).message);
	}
}

function requireClaim(choice: ServiceChoice, field: string, actual: unknown, expected: string): void {
	if (actual === expected) return;
	const params = { service: NAMES[choice.kind], field, actual: actual === undefined ? 'missing' : String(actual), expected };
	throw new TokenRefused({ status: 'fail', key: 'tee.check.service.token.claim', params });
}

/** Every measurement that the token states equals the quote's, and none that matters is missing. */
function requireMeasurements(choice: ServiceChoice, claims: JsonObject, quote: ParsedQuote): void {
	for (const field of [...REQUIRED, ...OPTIONAL]) {
		const actual = claims[field] ?? claims[CLAIM_FIELDS[field] ?? field];
		if (actual === undefined && OPTIONAL.includes(field)) continue;
		requireClaim(choice, field, actual, quote[field] ?? '');
	}
}

function alibabaClaims(choice: ServiceChoice, payload: JsonObject, quote: ParsedQuote): void {
	if (payload['tee'] !== 'tdx') throw invalid(choice, `its tee is ${JSON.stringify(payload['tee'])}, not "tdx"`);
	let status: unknown;
	try {
		status = typeof payload['tcb-status'] === 'string' ? parseJson(payload['tcb-status']) : payload['tcb-status'];
	} catch (error) {
		throw invalid(choice, `its tcb-status cannot be read (${(error as Error).message})`);
	}
	if (!isObject(status)) throw invalid(choice, 'it holds no tcb-status');
	const prefix = 'tdx.quote.body.';
	const body = Object.entries(status).filter(([key]) => key.startsWith(prefix)).map(([key, value]) => [key.slice(prefix.length), value]);
	requireMeasurements(choice, Object.fromEntries(body), quote);
	requireClaim(choice, 'report_data', status['report_data'], quote.report_data);
	if (status['tdx.td_attributes.debug'] === true) throw invalid(choice, 'it says that the TD is debuggable');
}

const member = (value: unknown, ...path: string[]): unknown =>
	path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value);

/** The CPU's submodule: `cpu` up to Trustee 0.13, `cpu0` later. */
function submodule(choice: ServiceChoice, payload: JsonObject): JsonObject {
	const found = ['cpu', 'cpu0'].map((name) => member(payload, 'submods', name)).filter(isObject);
	if (found.length !== 1) throw invalid(choice, `it appraises ${found.length} CPUs`);
	return found[0]!;
}

function trusteeClaims(choice: ServiceChoice, payload: JsonObject, quote: ParsedQuote): Outcome | null {
	const cpu = submodule(choice, payload);
	const body = member(cpu, 'ear.veraison.annotated-evidence', 'tdx', 'quote', 'body');
	if (!isObject(body)) throw invalid(choice, 'it says nothing about a TDX quote');
	requireMeasurements(choice, body, quote);
	const status = cpu['ear.status'];
	if (status === 'affirming') return null;
	const params = { service: NAMES[choice.kind], actual: String(status) };
	return { status: status === 'warning' ? 'warn' : 'fail', key: 'tee.check.service.token.contraindicated', params };
}

async function judge(choice: ServiceChoice, token: string, quote: ParsedQuote, now: Date): Promise<ServiceResult> {
	if (token.length > MAX_TOKEN) throw invalid(choice, `it is longer than ${MAX_TOKEN} characters`);
	const payload = (await verifyJwt(choice, token, now)) as JsonObject;
	const lowered = choice.kind === 'alibaba' ? alibabaClaims(choice, payload, quote) : trusteeClaims(choice, payload, quote);
	const expires = new Date(Number(payload['exp']) * 1000).toISOString();
	const params = { service: NAMES[choice.kind], expires };
	return { outcome: lowered ?? { status: 'pass', key: 'tee.check.service.token.pass', params }, claims: payload };
}

/**
 * Judge the bundle's token of the chosen service. Establishes that the service, known by its key, vouches for this very
 * quote now. No service chosen: skipped; no token, or no way to check it here: warn.
 */
export async function checkService(bundle: Evidence, quote: ParsedQuote, choice: ServiceChoice | undefined, now: Date): Promise<ServiceResult> {
	const only = (outcome: Outcome): ServiceResult => ({ outcome, claims: null });
	if (!choice) return only({ status: 'skipped', key: 'tee.check.service.token.none' });
	const service = NAMES[choice.kind];
	const found = bundle.service_tokens.filter((one) => one.service === choice.kind && one.url === choice.url);
	if (found.length !== 1) {
		const reason = found.length === 0 ? 'it could not be reached' : `the bundle holds ${found.length}`;
		return only({ status: found.length === 0 ? 'warn' : 'fail', key: 'tee.check.service.token.missing', params: { service, reason } });
	}
	if (!globalThis.crypto?.subtle) return only({ status: 'warn', key: 'tee.check.service.token.nowebcrypto' });
	if (!choice.key && !(choice.kind === 'alibaba' && choice.jwks)) return only({ status: 'warn', key: 'tee.check.service.token.nokey', params: { service } });
	try {
		return await judge(choice, found[0]!.token, quote, now);
	} catch (error) {
		if (error instanceof TokenRefused) return only(error.outcome);
		throw error;
	}
}
