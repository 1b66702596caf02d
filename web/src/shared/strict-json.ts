/**
 * JSON (RFC 8259) read strictly. JSON.parse keeps the last of two equal keys in silence, so two readers could judge
 * two different documents; this reader refuses that, and bounds size and depth so that no input can exhaust a page.
 */

import { utf8 } from './bytes.js';
import { clause, ReasonSentence, type Clause } from './sentence.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export const MAX_BYTES = 4 * 1024 * 1024;
export const MAX_DEPTH = 32;
/** Longest number, in characters. */
const MAX_DIGITS = 32;

export class JsonError extends ReasonSentence {}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES: Record<string, string> = {
	'"': '"',
	'\\': '\\',
	'/': '/',
	b: '\b',
	f: '\f',
	n: '\n',
	r: '\r',
	t: '\t'
};

class Reader {
	private at = 0;
	constructor(private readonly text: string) {}

	document(): Json {
		const value = this.value(0);
		this.space();
		if (this.at !== this.text.length) throw this.error(clause('text after the end of the document'));
		return value;
	}

	private error(what: Clause): JsonError {
		return new JsonError('Malformed JSON at character {{at}}: {{what}}', { at: this.at, what });
	}

	private match(pattern: RegExp): RegExpExecArray | null {
		pattern.lastIndex = this.at;
		const found = pattern.exec(this.text);
		if (found) this.at = pattern.lastIndex;
		return found;
	}

	private space(): void {
		this.match(SPACE);
	}

	private take(char: string): boolean {
		this.space();
		if (this.text[this.at] !== char) return false;
		this.at++;
		return true;
	}

	private value(depth: number): Json {
		if (this.take('{')) return this.object(this.deeper(depth));
		if (this.take('[')) return this.array(this.deeper(depth));
		if (this.take('"')) return this.string();
		for (const [word, meaning] of [
			['true', true],
			['false', false],
			['null', null]
		] as const) {
			if (this.text.startsWith(word, this.at)) {
				this.at += word.length;
				return meaning;
			}
		}
		return this.number();
	}

	/** The level of what is inside an object or array at `depth`. */
	private deeper(depth: number): number {
		if (depth === MAX_DEPTH) throw this.error(clause('nested deeper than {{limit}} levels', { limit: MAX_DEPTH }));
		return depth + 1;
	}

	private object(depth: number): JsonObject {
		const result: JsonObject = {};
		if (this.take('}')) return result;
		do {
			if (!this.take('"')) throw this.error(clause('a member name is missing'));
			const key = this.string();
			if (Object.hasOwn(result, key)) throw this.error(clause('duplicate key {{name}}', { name: JSON.stringify(key) }));
			if (!this.take(':')) throw this.error(clause('a colon is missing'));
			// defineProperty, so that a key named __proto__ is data like any other
			Object.defineProperty(result, key, {
				value: this.value(depth),
				enumerable: true,
				writable: true,
				configurable: true
			});
		} while (this.take(','));
		if (!this.take('}')) throw this.error(clause('an object is not closed'));
		return result;
	}

	private array(depth: number): Json[] {
		const result: Json[] = [];
		if (this.take(']')) return result;
		do result.push(this.value(depth));
		while (this.take(','));
		if (!this.take(']')) throw this.error(clause('an array is not closed'));
		return result;
	}

	private string(): string {
		let result = '';
		for (;;) {
			result += this.match(PLAIN)![0];
			const char = this.text[this.at++];
			if (char === '"') break;
			if (char !== '\\') throw this.error(clause('a string is not closed or holds a control character'));
			result += this.escape();
		}
		// RFC 8785 gives unpaired surrogates no canonical form
		if (/\p{Surrogate}/u.test(result)) throw this.error(clause('an unpaired surrogate'));
		return result;
	}

	private escape(): string {
		const char = this.text[this.at++] ?? '';
		if (char === 'u') {
			const digits = this.text.slice(this.at, this.at + 4);
			if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.error(clause('a malformed \\u escape'));
			this.at += 4;
			return String.fromCharCode(parseInt(digits, 16));
		}
		const meaning = ESCAPES[char];
		if (meaning === undefined) throw this.error(clause('an unknown escape'));
		return meaning;
	}

	private number(): number {
		const found = this.match(NUMBER);
		if (!found) throw this.error(clause('a value is missing'));
		const value = Number(found[0]);
		const whole = found[1] === undefined && found[2] === undefined;
		if (found[0].length > MAX_DIGITS || !Number.isFinite(value) || (whole && !Number.isSafeInteger(value)))
			throw this.error(clause('a number too large to be exact'));
		// other readers tell 1.0 from 1
		if (whole ? Object.is(value, -0) : Number.isInteger(value))
			throw this.error(clause('a whole number that is not written as one'));
		return value;
	}
}

/** Parse `text`; throws JsonError, in one sentence, on anything that two readers could understand differently. */
export function parseJson(text: string, maxBytes = MAX_BYTES): Json {
	if (text.length > maxBytes || (3 * text.length > maxBytes && utf8(text).length > maxBytes))
		throw new JsonError('The JSON text is larger than {{limit}} bytes', { limit: maxBytes });
	return new Reader(text).document();
}

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object's value read from `text`, or a JsonError that names `what`. */
export function parseObject(text: string, what: string | Clause): JsonObject {
	const value = parseJson(text);
	if (!isObject(value)) throw new JsonError('{{what}} is not a JSON object', { what });
	return value;
}
