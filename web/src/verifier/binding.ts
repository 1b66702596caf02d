/**
 * Was the quote made for my request, and for the server that I am connected to? Freshness is always established; that
 * the connection ends in the TD only where a TLS key is bound, and this client or whoever checks after it compares it.
 */

import { concat, isHex, toHex, utf8 } from '../shared/bytes.js';
import type { Connected } from '../shared/evidence.js';
import { isNonce } from '../shared/nonce.js';
import { parseOrigin } from '../shared/origin.js';
import { clause, type Clause } from '../shared/sentence.js';
import { isObject, type JsonObject } from '../shared/strict-json.js';
import { parseTime } from '../shared/time.js';
import { canonicalize } from './event-log.js';
import { sha384 } from './hash.js';
import type { Outcome } from './outcome.js';
import type { ParsedQuote } from './quote.js';

/** Clocks of honest machines differ by this much at most. */
export const MAX_CLOCK_SKEW_S = 60;
const MEMBERS = ['v', 'nonce', 'release', 'origin', 'tls_spki_sha256'];

/** 64 bytes of report data for `runtimeData`, hex: SHA-384 of its canonical JSON (RFC 8785), then 16 zero bytes. */
export function reportData(runtimeData: JsonObject): string {
	const text = canonicalize(runtimeData);
	if (text === undefined) throw new Error('The runtime data has no canonical form.');
	return toHex(concat(sha384(utf8(text)), new Uint8Array(16)));
}

/** Why `data` is no runtime data, or null. */
function malformed(data: unknown): Clause | null {
	if (!isObject(data)) return clause('it is missing or no object');
	if (data['v'] !== 1)
		return clause('its version is {{version}}, not 1', { version: String(JSON.stringify(data['v'])) });
	const odd = MEMBERS.find((key) => key !== 'v' && key in data && typeof data[key] !== 'string');
	if (odd !== undefined) return clause('its {{name}} is no text', { name: odd });
	for (const [key, size] of [
		['release', 48],
		['tls_spki_sha256', 32]
	] as const)
		if (key in data && !isHex(data[key], size))
			return clause('its {{name}} is not {{size}} bytes as lower-case hex', { name: key, size });
	return null;
}

function checkAge(time: string, now: Date, maxAge: number): Outcome {
	const age = Math.floor(now.getTime() / 1000) - Math.floor(parseTime(time)!.getTime() / 1000);
	if (age > maxAge)
		return { status: 'fail', key: 'tee.check.binding.nonce.old', params: { actual: age, expected: maxAge } };
	if (age < -MAX_CLOCK_SKEW_S)
		return { status: 'fail', key: 'tee.check.binding.nonce.future', params: { actual: -age } };
	return { status: 'pass', key: 'tee.check.binding.nonce.pass', params: { age: Math.max(age, 0) } };
}

/** Does runtime_data carry the nonce that I sent, is report_data its hash, and was that recent enough? */
export function checkNonce(
	quote: ParsedQuote,
	runtimeData: unknown,
	bundle: { nonce: string | null; time: string },
	now: Date,
	maxAge: number
): Outcome {
	if (bundle.nonce === null || !isNonce(bundle.nonce))
		return { status: 'fail', key: 'tee.check.binding.nonce.missing' };
	const reason = malformed(runtimeData);
	if (reason) return { status: 'fail', key: 'tee.check.binding.nonce.malformed', params: { reason } };
	const data = runtimeData as JsonObject;
	if (data['nonce'] !== bundle.nonce) {
		const params = { actual: (data['nonce'] as string | undefined) ?? clause('none'), expected: bundle.nonce };
		return { status: 'fail', key: 'tee.check.binding.nonce.replayed', params };
	}
	const expected = reportData(data);
	if (quote.report_data !== expected)
		return {
			status: 'fail',
			key: 'tee.check.binding.nonce.reportdata',
			params: { actual: quote.report_data, expected }
		};
	const age = checkAge(bundle.time, now, maxAge);
	const newer = Object.keys(data).filter((key) => !MEMBERS.includes(key)).sort()[0];
	if (newer === undefined || age.status === 'fail') return age;
	const params = { ...age.params, name: newer.slice(0, 40) };
	return { status: 'warn', key: 'tee.check.binding.nonce.newer', params };
}

/** localhost, *.localhost, 127.0.0.0/8 and ::1. */
function isLoopback(url: URL): boolean {
	const host = url.hostname.replace(/\.$/, '');
	return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Is the quote bound to where the client was connected? `runtimeData` is what the quote is proven to be bound to. A
 * browser cannot see its connection's TLS key: there the origin, which TLS authenticated, is all that is compared.
 */
export function checkChannel(runtimeData: JsonObject, connected: Connected | null): Outcome {
	if (!connected) return { status: 'warn', key: 'tee.check.binding.channel.unknown' };
	const { origin, tls_spki_sha256: seenKey } = connected;
	const boundOrigin = runtimeData['origin'] as string | undefined;
	const boundKey = runtimeData['tls_spki_sha256'] as string | undefined;
	if (boundKey !== undefined && seenKey && boundKey !== seenKey)
		return { status: 'fail', key: 'tee.check.binding.channel.key', params: { actual: boundKey, expected: seenKey } };
	const other = boundOrigin !== undefined && boundOrigin !== origin;
	const elsewhere = { actual: boundOrigin ?? '', expected: origin };
	const here = parseOrigin(origin)!;
	if (isLoopback(here)) {
		if (other) return { status: 'warn', key: 'tee.check.binding.channel.elsewhere', params: elsewhere };
		return { status: 'pass', key: 'tee.check.binding.channel.loopback', params: { origin } };
	}
	if (other) return { status: 'fail', key: 'tee.check.binding.channel.origin', params: elsewhere };
	if (here.protocol !== 'https:') return { status: 'warn', key: 'tee.check.binding.channel.http', params: { origin } };
	if (boundOrigin === undefined)
		return { status: 'warn', key: 'tee.check.binding.channel.noorigin', params: { origin } };
	if (boundKey === undefined) return { status: 'warn', key: 'tee.check.binding.channel.notls', params: { origin } };
	if (!seenKey)
		return { status: 'pass', key: 'tee.check.binding.channel.unseen', params: { origin, expected: boundKey } };
	return { status: 'pass', key: 'tee.check.binding.channel.tls', params: { origin } };
}
