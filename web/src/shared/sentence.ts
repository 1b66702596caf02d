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

/** Words of somebody else's, passed on as they are: never a template, whatever is in them. */
export function verbatim(message: string): Clause {
	return clause('{{message}}', { message });
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
