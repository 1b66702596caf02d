/** What a check function answers, and the sentence that becomes of it. */

import { english, type Clause } from '../shared/sentence.js';
import { fill, type Values } from '../shared/sentence.js';
import { titleOf, type Check, type CheckId, type Params, type Status } from '../shared/verdict.js';
import { messages, type MessageKey } from './messages.js';

/** What a check function answers; the rest of a Check follows from it. */
export interface Outcome {
	status: Status;
	key: MessageKey;
	/** A reason is always a clause, so that none is left without its translation. */
	params?: Values & { reason?: Clause };
}

/** The message of `key` with its {{placeholders}} filled. */
export function message(key: MessageKey, values: Values = {}): string {
	return fill(messages[key], values);
}

export function makeCheck(id: CheckId, { status, key, params: values = {} }: Outcome): Check {
	const params: Params = {};
	const texts: Record<string, Clause> = {};
	for (const [name, value] of Object.entries(values)) {
		params[name] = typeof value === 'number' ? value : english(value);
		if (typeof value === 'object') texts[name] = value;
	}
	const check = { id, status, title: titleOf(id), detail: message(key, values), key, params };
	return Object.keys(texts).length > 0 ? { ...check, texts } : check;
}
