/**
 * Tokens of attestation services. A service is asked in addition, and can only lower a verdict: its token must be
 * signed by a key that the person's own configuration leads to, be in date, and speak of this very quote.
 */

import { compactVerify, importJWK, importSPKI, type CryptoKey, type JWK } from 'jose';
import services from '../data/services.json';
import { MAX_CLOCK_SKEW_S } from './binding.js';
import { fromBase64url } from '../shared/bytes.js';
import type { Evidence } from '../shared/evidence.js';
import type { ParsedQuote } from './quote.js';
import { clause, type Clause } from '../shared/sentence.js';
import { clauseOf, foreign } from './reason.js';
import { isObject, parseObject, type JsonObject } from '../shared/strict-json.js';
import { checkClaims, type Appraisal } from './service-claims.js';
import { serviceBase } from '../shared/service-address.js';
import { TokenRefused, type ServiceChoice } from './service-choice.js';
import type { Outcome } from './outcome.js';

export interface ServiceResult {
	outcome: Outcome;
	/** The payload of each valid token, by service. */
	claims: Record<string, JsonObject>;
}

const algorithmOf = (choice: ServiceChoice): string => services[choice.kind].algorithm;
export const SERVICE_NAMES = { alibaba: clause("Alibaba Cloud's attestation service"), trustee: 'Trustee' } as const;
const MAX_TOKEN = 256 * 1024;
const MIN_RSA_BYTES = 256;
/** The end of the year 9999. */
const MAX_TIME = 253402300799;

// a byte order mark is no JSON, and a decoder takes it away unless told to keep it
const decode = (part: string, what: Clause): JsonObject =>
	parseObject(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fromBase64url(part)), what);

/** A JWK reduced to the public members of the one kind that the service signs with; null where it is another kind. */
function publicJwk(choice: ServiceChoice, jwk: JsonObject): JWK | null {
	const { kty, crv, n, e, x, y } = jwk;
	if (choice.kind === 'alibaba') {
		if (kty !== 'RSA' || typeof n !== 'string' || typeof e !== 'string' || fromBase64url(n).length < MIN_RSA_BYTES)
			return null;
		return { kty, n, e };
	}
	return kty === 'EC' && crv === 'P-256' && typeof x === 'string' && typeof y === 'string' ? { kty, crv, x, y } : null;
}

async function importKey(choice: ServiceChoice, jwk: JsonObject): Promise<CryptoKey | Uint8Array | null> {
	try {
		const reduced = publicJwk(choice, jwk);
		return reduced && (await importJWK(reduced, algorithmOf(choice)));
	} catch {
		return null;
	}
}

async function pinnedKey(choice: ServiceChoice, text: string): Promise<(CryptoKey | Uint8Array)[]> {
	try {
		if (text.includes('-----BEGIN')) return [await importSPKI(text.trim(), algorithmOf(choice))];
		const key = await importKey(choice, parseObject(text, 'the key'));
		if (key) return [key];
	} catch {
		// said below, in one sentence for every way to be wrong
	}
	throw new TokenRefused('the pinned key is no public key for {{algorithm}}', { algorithm: algorithmOf(choice) });
}

/** The keys that the token may be signed with: the pinned one, else those of the service's set with the token's key id. */
async function candidates(choice: ServiceChoice, header: JsonObject): Promise<(CryptoKey | Uint8Array)[]> {
	const kid = header['kid'] ?? null;
	if (choice.kind === 'alibaba' && kid === null) throw new TokenRefused('its header has no key id');
	if (choice.key) return pinnedKey(choice, choice.key);
	const matching = (choice.jwks?.keys ?? [])
		.filter(isObject)
		.filter((jwk) => kid === null || [null, kid].includes((jwk['kid'] ?? null) as never));
	const keys = await Promise.all(matching.slice(0, 32).map((jwk) => importKey(choice, jwk)));
	const usable = keys.filter((key) => key !== null);
	if (usable.length === 0)
		throw new TokenRefused('none of the keys held for the service has its key id {{kid}}', {
			kid: String(kid).slice(0, 80)
		});
	return usable;
}

/** No extension of JWS is known here, and libraries differ about those that are not (RFC 7515, 4.1.11; RFC 7797). */
function requireHeader(header: JsonObject): void {
	const unknown = ['crit', 'b64'].find((name) => Object.hasOwn(header, name));
	if (unknown !== undefined) throw new TokenRefused('its header has the unknown member "{{name}}"', { name: unknown });
	if (Object.hasOwn(header, 'kid') && typeof header['kid'] !== 'string') throw new TokenRefused('its header has no key id');
}

/** The payload, once its signature is verified with the one algorithm that the service uses. */
async function verifiedPayload(choice: ServiceChoice, token: string): Promise<JsonObject> {
	const parts = token.split('.');
	if (token.length > MAX_TOKEN || parts.length !== 3) throw new TokenRefused('it is no compact JWT');
	// libraries take other spellings of the same bytes
	parts.forEach((part) => fromBase64url(part));
	const header = decode(parts[0]!, clause('its header'));
	requireHeader(header);
	const algorithm = algorithmOf(choice);
	if (header['alg'] !== algorithm)
		throw new TokenRefused('its algorithm is {{actual}}, expected {{expected}}', {
			actual: String(header['alg']).slice(0, 40),
			expected: algorithm
		});
	for (const key of await candidates(choice, header)) {
		try {
			await compactVerify(token, key, { algorithms: [algorithm] });
		} catch {
			continue;
		}
		return decode(parts[1]!, clause('its payload'));
	}
	throw new TokenRefused('its signature is wrong');
}

function requireTimes(payload: JsonObject, now: number): void {
	const time = (key: string): number | null => {
		const value = payload[key] ?? null;
		if (value !== null && typeof value !== 'number')
			throw new TokenRefused('its {{field}} is no number', { field: key });
		if (value !== null && !(value >= 0 && value <= MAX_TIME))
			throw new TokenRefused('its {{field}} is {{actual}}, no time until the year 9999', { field: key, actual: value });
		return value;
	};
	const expires = time('exp');
	if (expires === null || time('iat') === null) throw new TokenRefused('it has no exp or no iat');
	if (now > expires) throw new TokenRefused('it expired {{seconds}} s ago', { seconds: Math.floor(now - expires) });
	for (const key of ['nbf', 'iat'])
		if ((time(key) ?? 0) > now + MAX_CLOCK_SKEW_S)
			throw new TokenRefused('its {{field}} is {{seconds}} s in the future', {
				field: key,
				seconds: Math.floor(time(key)! - now)
			});
}

/** The service's appraisal; throws TokenRefused unless everything about the token holds. */
async function appraise(
	choice: ServiceChoice,
	token: string,
	quote: ParsedQuote,
	now: Date
): Promise<[Appraisal, JsonObject]> {
	try {
		const payload = await verifiedPayload(choice, token);
		requireTimes(payload, Math.floor(now.getTime() / 1000));
		return [checkClaims(choice, payload, quote), payload];
	} catch (error) {
		throw error instanceof TokenRefused ? error : new TokenRefused(clauseOf(error));
	}
}

/** Why `choice` cannot be asked here, which is a failure: it was chosen to be asked. Null where it can. */
function cannotAsk(choice: ServiceChoice): Outcome | null {
	const service = SERVICE_NAMES[choice.kind];
	const { problem } = choice;
	if (problem) {
		const reason = typeof problem === 'string' ? foreign(problem) : problem;
		return { status: 'fail', key: 'tee.check.service.token.unreachable', params: { service, reason } };
	}
	if (!globalThis.crypto?.subtle) return { status: 'fail', key: 'tee.check.service.token.nowebcrypto' };
	if (!choice.key && !choice.jwks) return { status: 'fail', key: 'tee.check.service.token.nokey', params: { service } };
	return null;
}

async function checkOne(
	choice: ServiceChoice,
	bundle: Evidence,
	quote: ParsedQuote,
	now: Date,
	claims: ServiceResult['claims']
): Promise<Outcome> {
	const service = SERVICE_NAMES[choice.kind];
	const hindrance = cannotAsk(choice);
	if (hindrance) return hindrance;
	const base = serviceBase(choice.kind, choice.url);
	const tokens = bundle.service_tokens.filter(
		({ service: kind, url }) => kind === choice.kind && serviceBase(choice.kind, url) === base
	);
	if (tokens.length !== 1)
		return { status: 'fail', key: 'tee.check.service.token.missing', params: { service, actual: tokens.length } };
	try {
		const [appraisal, payload] = await appraise(choice, tokens[0]!.token, quote, now);
		claims[choice.kind] = payload;
		if (appraisal === 'warning') return { status: 'warn', key: 'tee.check.service.token.warning', params: { service } };
		const expires = new Date(Number(payload['exp']) * 1000).toISOString();
		return { status: 'pass', key: 'tee.check.service.token.pass', params: { service, expires } };
	} catch (error) {
		if (error instanceof TokenRefused) return error.outcome(service);
		throw error;
	}
}

/**
 * Judge the bundle's token of every chosen service. Establishes that the services, known by their keys, vouch for this
 * very quote now. None chosen: skipped. A service that warns: warn. Everything else, one that could not be asked: fail.
 */
export async function checkServices(
	bundle: Evidence,
	quote: ParsedQuote,
	choices: ServiceChoice[],
	required: ServiceChoice['kind'][],
	now: Date
): Promise<ServiceResult> {
	const claims: ServiceResult['claims'] = {};
	const absent = required.find((kind) => !choices.some((choice) => choice.kind === kind && !choice.problem));
	if (absent)
		return {
			outcome: { status: 'fail', key: 'tee.check.service.token.required', params: { service: SERVICE_NAMES[absent] } },
			claims
		};
	if (choices.length === 0) return { outcome: { status: 'skipped', key: 'tee.check.service.token.none' }, claims };
	const outcomes: Outcome[] = [];
	for (const choice of choices) outcomes.push(await checkOne(choice, bundle, quote, now, claims));
	const worst = (['fail', 'warn'] as const)
		.map((status) => outcomes.find((one) => one.status === status))
		.find((one) => one);
	return { outcome: worst ?? outcomes[0]!, claims };
}
