/** Reasons inside a verdict's sentences: what an error says, as a clause, and lists of alternatives. */

import { clause, english, Reason, ReasonSentence, verbatim, type Clause } from '../shared/sentence.js';

/**
 * What dcap-qvl says most often, word for word, and always without values: listed here so that it can be translated.
 * Anything else that a library says stays as it says it.
 */
const KNOWN = [
	clause('Signature is invalid for qe_report in quote'),
	clause('QE report hash mismatch'),
	clause('ISV enclave report signature is invalid'),
	clause('Signature is invalid for tcb_info'),
	clause('Signature is invalid for qe_identity'),
	clause('Certificate is revoked'),
	clause('CRL is expired'),
	clause('CRL is not yet valid'),
	clause('CRL signature is invalid'),
	clause('Fmspc mismatch'),
	clause('Debug mode is enabled'),
	clause('Reserved bits in TD attributes are set'),
	clause('TD migration is enabled'),
	clause('SERVTD_EXT is enabled'),
	clause('SEPT_VE_DISABLE is not enabled')
];

/** A library's own words: translated where they are known, else passed on. Never a template, whatever is in them. */
export function foreign(message: string): Clause {
	return KNOWN.find(({ text }) => text === message) ?? verbatim(message);
}

/** What `error` says, without the full stop that a sentence of its own would have. */
export function clauseOf(error: unknown): Clause {
	if (error instanceof Reason) return error.clause;
	return foreign(String((error as Error | null)?.message ?? error).replace(/\.$/, ''));
}

/** What `error` says, as it stands: its English is the error's message. */
export function reasonOf(error: unknown): Clause {
	if (error instanceof ReasonSentence) return clause('{{clause}}.', { clause: error.clause });
	if (error instanceof Reason) return error.clause;
	return foreign(String((error as Error | null)?.message ?? error));
}

const MOST = 8;

/** `a or b or c`; a longer list than anybody reads is one text, as a clause inside a clause has its price. */
export function either(names: string[]): string | Clause {
	if (names.length > MOST) return names.join(' or ');
	return names
		.slice(1)
		.reduce<string | Clause>((first, next) => clause('{{first}} or {{next}}', { first, next }), names[0] ?? '');
}

/** `a; b; c` */
export function series(clauses: Clause[]): string | Clause {
	if (clauses.length > MOST) return clauses.map(english).join('; ');
	return clauses
		.slice(1)
		.reduce<string | Clause>((first, next) => clause('{{first}}; {{next}}', { first, next }), clauses[0] ?? '');
}
