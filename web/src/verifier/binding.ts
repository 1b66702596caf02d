/**
 * Was the quote made for my request, and just now? Whether it is of the TD that I am connected to is for `channel` to
 * find out.
 */

import { fromBase64url } from '../shared/bytes.js';
import { isNonce } from '../shared/nonce.js';
import type { JsonObject } from '../shared/strict-json.js';
import { parseTime } from '../shared/time.js';
import { isProven, ProofError } from './nonce-proof.js';
import type { Outcome } from './outcome.js';
import type { ParsedQuote } from './quote.js';
import { clauseOf } from './reason.js';
import { readRuntimeData, reportData, type RuntimeData } from './runtime-data.js';

/** Clocks of honest machines differ by this much at most. */
export const MAX_CLOCK_SKEW_S = 60;

function checkAge(time: string, now: Date, maxAge: number): Outcome {
	const age = Math.floor(now.getTime() / 1000) - Math.floor(parseTime(time)!.getTime() / 1000);
	if (age > maxAge)
		return { status: 'fail', key: 'tee.check.binding.nonce.old', params: { actual: age, expected: maxAge } };
	if (age < -MAX_CLOCK_SKEW_S)
		return { status: 'fail', key: 'tee.check.binding.nonce.future', params: { actual: -age } };
	return { status: 'pass', key: 'tee.check.binding.nonce.pass', params: { age: Math.max(age, 0) } };
}

/** Why the quote is not bound to `nonce`, or null. Throws ProofError for a proof that cannot be one. */
function unbound(quote: ParsedQuote, data: RuntimeData, proof: unknown, nonce: string): Outcome | null {
	const expected = reportData(data);
	if (quote.report_data !== expected)
		return {
			status: 'fail',
			key: 'tee.check.binding.nonce.reportdata',
			params: { actual: quote.report_data, expected }
		};
	const { root, size } = data.nonces;
	if (isProven(fromBase64url(nonce), proof, fromBase64url(root), size)) return null;
	return { status: 'fail', key: 'tee.check.binding.nonce.replayed', params: { expected: nonce } };
}

/** Is report_data the hash of runtime_data, does the proof lead from my nonce to its root, and was that recent enough? */
export function checkNonce(
	quote: ParsedQuote,
	evidence: JsonObject,
	bundle: { nonce: string | null; time: string },
	now: Date,
	maxAge: number
): Outcome {
	if (bundle.nonce === null || !isNonce(bundle.nonce))
		return { status: 'fail', key: 'tee.check.binding.nonce.missing' };
	let newer: string | undefined;
	try {
		const read = readRuntimeData(evidence['runtime_data']);
		const fault = unbound(quote, read.data, evidence['proof'], bundle.nonce);
		if (fault) return fault;
		newer = read.newer[0];
	} catch (error) {
		const key = error instanceof ProofError ? 'tee.check.binding.nonce.proof' : 'tee.check.binding.nonce.malformed';
		return { status: 'fail', key, params: { reason: clauseOf(error) } };
	}
	const age = checkAge(bundle.time, now, maxAge);
	if (newer === undefined || age.status === 'fail') return age;
	const params = { ...age.params, name: newer.slice(0, 40) };
	return { status: 'warn', key: 'tee.check.binding.nonce.newer', params };
}
