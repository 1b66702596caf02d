/**
 * Why something is refused, said so that it can be translated: an English template, which is the translation's key as
 * well, and the values of its {{placeholders}}, which may be such clauses themselves. Every template is written out
 * where it is used, as the first argument of `clause` or of one of the errors: a test finds them there.
 */

export interface Clause {
	text: string;
	values: Values;
}
export type Values = Record<string, string | number | Clause>;

export function clause(text: string, values: Values = {}): Clause {
	return { text, values };
}

/** `template` with its {{placeholders}} filled; what a value holds is never taken for a placeholder. */
export function fill(template: string, values: Values): string {
	return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => english(values[name] ?? ''));
}

export function english(value: string | number | Clause): string {
	return typeof value === 'object' ? fill(value.text, value.values) : String(value);
}

/** An error whose message is one clause of ours. */
export class Reason extends Error {
	readonly clause: Clause;

	/** `text`: a template, or a clause that was made before. */
	constructor(text: string | Clause, values: Values = {}, stop = '') {
		const said = typeof text === 'string' ? clause(text, values) : text;
		super(english(said) + stop);
		this.clause = said;
	}
}

/** An error whose message is a whole sentence: the clause, and a full stop. */
export class ReasonSentence extends Reason {
	constructor(text: string | Clause, values: Values = {}) {
		super(text, values, '.');
	}
}

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
	clause('CRL signature is invalid'),
	clause('Fmspc mismatch'),
	clause('No matching TCB level found'),
	clause('Debug mode is enabled'),
	clause('Reserved bits in TD attributes are set'),
	clause('TD migration is enabled'),
	clause('SERVTD_EXT is enabled'),
	clause('SEPT_VE_DISABLE is not enabled'),
	clause('Invalid mr service td')
];

/** A library's own words: translated where they are known, else passed on. Never a template, whatever is in them. */
export function foreign(message: string): Clause {
	return KNOWN.find(({ text }) => text === message) ?? { text: '{{message}}', values: { message } };
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
