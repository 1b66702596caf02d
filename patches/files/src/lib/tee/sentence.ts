/** Sentences as data: made where something happens, translated where somebody reads them. */
import type { Sentence } from './types';

export const isSentence = (value: unknown): value is Sentence =>
	typeof value === 'object' && value !== null && typeof (value as Sentence).text === 'string';

/** The sentence in English; values that are sentences themselves are filled in as such. */
export const english = ({ text, values = {} }: Sentence): string =>
	text.replace(/{{(\w+)}}/g, (_, name: string) => {
		const value = values[name];
		return isSentence(value) ? english(value) : String(value);
	});

/** Why there is no verdict: a sentence to translate, not a stack. */
export class RoundError extends Error {
	sentence: Sentence;

	constructor(text: string, values: Record<string, unknown> = {}) {
		super(english({ text, values }));
		this.sentence = { text, values };
	}
}

/** What any error says; the words of a browser stay as they are. */
export const sentenceOf = (error: unknown): Sentence =>
	error instanceof RoundError
		? error.sentence
		: { text: 'The check failed: {{reason}}', values: { reason: String((error as Error).message ?? error) } };
