import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonError, MAX_BYTES, MAX_DEPTH, parseJson, parseObject } from '../src/shared/strict-json.js';

test('what is read equals what JSON.parse reads', () => {
	fc.assert(
		fc.property(fc.json({ maxDepth: 5 }), (text) => {
			let value: unknown;
			try {
				value = parseJson(text);
			} catch (error) {
				expect(error).toBeInstanceOf(JsonError);
				return;
			}
			expect(value).toEqual(JSON.parse(text));
		})
	);
});

test('whatever JSON.parse refuses is refused', () => {
	const piece = fc.constantFrom(
		'{',
		'}',
		'[',
		']',
		',',
		':',
		'"',
		'"a"',
		'0',
		'-',
		'.5',
		'1e5',
		'01',
		'true',
		'nul',
		'\\',
		' ',
		'\n',
		'\u0000'
	);
	fc.assert(
		fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
			const text = pieces.join('');
			let expected: unknown;
			try {
				expected = JSON.parse(text);
			} catch {
				expect(() => parseJson(text)).toThrow(JsonError);
				return;
			}
			expect([expected]).toContainEqual(tolerant(text, expected));
		}),
		{ numRuns: 2000 }
	);
});

/** The strict value, or `fallback` where strictness alone refuses (duplicate keys, inexact numbers). */
function tolerant(text: string, fallback: unknown): unknown {
	try {
		return parseJson(text);
	} catch {
		return fallback;
	}
}

test.each([
	['{"a": 1, "a": 1}', 'duplicate key "a"'],
	['{"a": 1, "\\u0061": 2}', 'duplicate key "a"'],
	['9007199254740993', 'too large to be exact'],
	['1e999', 'too large to be exact'],
	[`0.${'1'.repeat(31)}`, 'too large to be exact'],
	['1.0', 'not written as one'],
	['10e-1', 'not written as one'],
	['-0', 'not written as one'],
	['NaN', 'a value is missing'],
	['[1] 2', 'text after the end'],
	['"\\ud800"', 'unpaired surrogate'],
	['"\t"', 'control character'],
	['"\\x"', 'unknown escape'],
	['{"a": 1,}', 'member name is missing'],
	['[', 'a value is missing'],
	['', 'a value is missing']
])('%j is refused: %s', (text, reason) => expect(() => parseJson(text)).toThrow(reason));

test('depth and size are bounded', () => {
	const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
	expect(() => parseJson(nested(MAX_DEPTH))).not.toThrow();
	expect(() => parseJson(nested(MAX_DEPTH + 1))).toThrow('nested deeper');
	expect(() => parseJson(nested(100_000))).toThrow('nested deeper');
	expect(() => parseJson(`"${'a'.repeat(MAX_BYTES)}"`)).toThrow('larger than');
	const wide = (bytes: number) => `"${'\u00e9'.repeat(bytes / 2 - 1)}"`;
	expect(() => parseJson(wide(MAX_BYTES))).not.toThrow();
	expect(() => parseJson(wide(MAX_BYTES + 2))).toThrow('larger than');
});

test('a key named __proto__ is data', () => {
	const value = parseObject('{"__proto__": {"admin": true}}', 'it');
	expect(Object.hasOwn(value, '__proto__')).toBe(true);
	expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
	expect((value as { admin?: unknown }).admin).toBeUndefined();
});

test('an object is asked for by name', () =>
	expect(() => parseObject('[]', 'The bundle')).toThrow('The bundle is not a JSON object.'));
