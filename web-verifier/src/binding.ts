/** Is the evidence an answer to my request, from the server that I am connected to? */

import { concat, fromBase64url, isHex, sha384, toBase64url, toHex, utf8 } from './bytes.js';
import { canonicalize } from './event-log.js';
import type { ParsedQuote } from './quote.js';
import { isObject, type JsonObject } from './strict-json.js';
import type { Outcome } from './verdict.js';

/** 32 random bytes, base64url. getRandomValues exists on plain http too. */
export function newNonce(): string {
	return toBase64url(globalThis.crypto.getRandomValues(new Uint8Array(32)));
}

export function isNonce(value: unknown): value is string {
	if (typeof value !== 'string' || value.length !== 43) return false;
	try {
		return fromBase64url(value).length === 32;
	} catch {
		return false;
	}
}

/** 64 bytes of report data for `runtimeData`, hex: SHA-384 of its canonical JSON (RFC 8785), then 16 zero bytes. */
export function reportData(runtimeData: JsonObject): string {
	const text = canonicalize(runtimeData);
	if (text === undefined) throw new Error('the runtime data has no canonical form');
	return toHex(concat(sha384(utf8(text)), new Uint8Array(16)));
}

function malformed(runtimeData: unknown): string | null {
	if (!isObject(runtimeData)) return 'it is missing or no object';
	if (runtimeData['v'] !== 1) return `its version is ${JSON.stringify(runtimeData['v'])}, not 1`;
	return null;
}

/** Does runtime_data carry the nonce I sent, and is report_data its hash? */
export function checkNonce(quote: ParsedQuote, runtimeData: unknown, nonce: unknown): Outcome {
	const reason = malformed(runtimeData);
	if (reason) return { status: 'fail', key: 'tee.check.binding.nonce.malformed', params: { reason } };
	if (!isNonce(nonce)) return { status: 'fail', key: 'tee.check.binding.nonce.missing' };
	const data = runtimeData as JsonObject;
	if (data['nonce'] !== nonce)
		return { status: 'fail', key: 'tee.check.binding.nonce.replayed', params: { actual: String(data['nonce']), expected: nonce } };
	const expected = reportData(data);
	if (quote.report_data !== expected)
		return { status: 'fail', key: 'tee.check.binding.nonce.reportdata', params: { actual: quote.report_data, expected } };
	return { status: 'pass', key: 'tee.check.binding.nonce.pass' };
}

/** The origin that `text` is, in its one serialised form, or null where it is none or says more than an origin. */
function parseOrigin(text: unknown): URL | null {
	if (typeof text !== 'string') return null;
	try {
		const url = new URL(text);
		return ['http:', 'https:'].includes(url.protocol) && (text === url.origin || text === `${url.origin}/`) ? url : null;
	} catch {
		return null;
	}
}

function isLoopback(url: URL): boolean {
	return url.hostname === 'localhost' || url.hostname.endsWith('.localhost') || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname);
}

/**
 * Is the quote bound to where the client is connected? A browser cannot see the TLS key of its connection: there the
 * origin, which TLS authenticated, is all that is compared.
 */
export function checkChannel(runtimeData: unknown, connected: unknown): Outcome {
	const data = isObject(runtimeData) ? runtimeData : {};
	const seen = isObject(connected) ? connected : {};
	const here = parseOrigin(seen['origin']);
	if (!here) return { status: 'warn', key: 'tee.check.binding.channel.unknown' };
	const origin = here.origin;
	if (data['origin'] !== undefined && data['origin'] !== null && parseOrigin(data['origin'])?.origin !== origin)
		return { status: 'fail', key: 'tee.check.binding.channel.origin', params: { actual: String(data['origin']), expected: origin } };
	return checkKey(data, seen, here);
}

function checkKey(data: JsonObject, seen: JsonObject, here: URL): Outcome {
	const origin = here.origin;
	const bound = data['tls_spki_sha256'] ?? null;
	const actual = seen['tls_spki_sha256'] ?? null;
	if (bound !== null && actual !== null && (bound !== actual || !isHex(bound, 32)))
		return { status: 'fail', key: 'tee.check.binding.channel.key', params: { actual: String(bound), expected: String(actual) } };
	if (isLoopback(here)) return { status: 'pass', key: 'tee.check.binding.channel.loopback', params: { origin } };
	if (here.protocol === 'http:') return { status: 'warn', key: 'tee.check.binding.channel.http', params: { origin } };
	if ((data['origin'] ?? null) === null) return { status: 'warn', key: 'tee.check.binding.channel.noorigin', params: { origin } };
	if (bound === null) return { status: 'warn', key: 'tee.check.binding.channel.notls', params: { origin } };
	if (actual === null) return { status: 'pass', key: 'tee.check.binding.channel.pass', params: { origin } };
	return { status: 'pass', key: 'tee.check.binding.channel.tls', params: { origin } };
}
