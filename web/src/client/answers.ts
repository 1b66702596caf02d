/**
 * What our own server and its attester answer as `detail`, with {{placeholders}} for the values. Their answers stay plain
 * English sentences, which other clients read as well; this page recognises them and so can translate them. What a
 * device or an operating system says is passed on as it is.
 */
import type { Clause } from '../shared/sentence.js';

const ANSWERS = [
	'The nonce must be 32 bytes in base64url without padding (43 characters); got {{size}} characters.',
	'This server was started without an attester, so it has no evidence to give.',
	'{{limit}} attestation requests are waiting already; ask again in a second.',
	"The attester's answer could not be read; its log says more.",
	'The attester did not answer within {{seconds}} seconds.',
	'The attester cannot be reached: {{cause}}.',
	'the attester failed; its log says why',
	'the attester has too many connections',
	'{{limit}} nonces wait for the next quote; ask again later',
	'no quote within {{seconds}} s; ask again later',
	'the device gave something that is no TDX quote: {{cause}}',
	'No PCCS is configured: set TEE_PCCS_URL or write {{file}}.',
	'{{file}} names no pccs_url: add one or set TEE_PCCS_URL.',
	'The PCCS address {{url}} is not an http or https URL.',
	'The PCCS at {{url}} cannot be reached: {{cause}}.',
	'The PCCS answered {{status}} for {{url}}.',
	'The PCCS sent more than {{limit}} bytes for {{url}}.',
	'The PCCS sent no {{header}} for {{url}}.',
	'The PCCS sent no readable {{name}}.',
	'The PCCS sent a CRL that is neither DER nor hex.',
	'The PCCS sent a {{name}} without an end of validity.',
	'The PCCS sent collateral whose dates cannot be read.',
	'The PCCS sent collateral that expired at {{time}} UTC.',
	'The PCCS has no root CRL, and the root certificate names no https address for it.',
	'The collateral has expired and the PCCS has no newer one.',
	"This platform's quote carries no PCK certificate, so its collateral cannot be named.",
	'The PCK certificate has no SGX extension.',
	'The PCK certificate cannot be read: {{cause}}.',
	"The PCK certificate's SGX extension has no FMSPC."
];

const patternOf = (text: string) =>
	new RegExp(`^${text.replace(/[.()]/g, '\\$&').replace(/{{(\w+)}}/g, '(?<$1>.+)')}$`, 's');

/** The sentence that `detail` is, with the values in it; the text itself where it is none of ours. */
export const recognise = (detail: string): Clause | string => {
	for (const text of ANSWERS) {
		const found = patternOf(text).exec(detail);
		if (found) return { text, values: { ...found.groups } };
	}
	return detail;
};
