/** Reasons can be translated: they are templates and values, whose English is exactly the sentence that was there. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Check, Clause } from '../src/verifier.js';
import { HERE } from '../bundling.mjs';
import { parseReferences } from '../src/verifier/references.js';
import { clause, english, fill, Reason, ReasonSentence } from '../src/shared/sentence.js';
import { clauseOf, either, foreign, reasonOf, series } from '../src/verifier/reason.js';
import { parseJson } from '../src/shared/strict-json.js';
import { messages, type MessageKey } from '../src/verifier/messages.js';
import { judge, NOW, readCase, vectorNames } from './helpers.js';
import { CACHE } from './paths.js';

const TRANSLATIONS = join(HERE, '../patches/files/src/lib/i18n/locales/en-US');
const listed = Object.assign(
	{},
	...['tee', 'tee-panel'].map((name) => JSON.parse(readFileSync(join(TRANSLATIONS, `${name}.json`), 'utf8')) as object)
) as Record<string, string>;

/** What dcap-qvl and its ASN.1 parser say in the vectors, with values or too seldom to be worth translating; last, what a vector says itself. */
const LIBRARY = [
	'CRL issuer does not match the expected issuer certificate',
	'Failed to parse CRL',
	'End of input reached before message was fully decoded',
	'Failed to verify certificate chain - signature invalid',
	'No TDX module identity with id',
	'QE ISVPRODID mismatch',
	'QE MRSIGNER mismatch',
	'TDX module MRSIGNER mismatch',
	'TDX module SEAMATTRIBUTES mismatch',
	'it did not answer'
];

/** The clause and every clause in its values. */
function all(said: Clause): Clause[] {
	return [said, ...Object.values(said.values).flatMap((value) => (typeof value === 'object' ? all(value) : []))];
}

const reached: Check[] = [];
for (const name of vectorNames) reached.push(...(await judge(readCase(name))).checks);
const clauses = reached.flatMap(({ texts = {} }) => Object.values(texts)).flatMap(all);

test('there are reasons to look at', () => expect(new Set(clauses.map(({ text }) => text)).size).toBeGreaterThan(70));

test('every sentence of the vectors is its template, filled with values that are in English what they were', () => {
	for (const { key, params, texts = {}, detail } of reached) {
		for (const [name, said] of Object.entries(texts)) expect(english(said), key).toBe(params[name]);
		expect(fill(messages[key as MessageKey], { ...params, ...texts }), key).toBe(detail);
	}
});

test('every reason that was a sentence of ours can be translated', () => {
	const reasons = reached.filter(({ params }) => 'reason' in params);
	expect(reasons.length).toBeGreaterThan(80);
	for (const { key, texts } of reasons) expect(texts, key).toHaveProperty('reason');
});

test('every template that the vectors reach is listed for translation, in the same words', () => {
	for (const { text } of clauses) expect(listed[text], text).toBe(text);
});

test('what is passed on as it is comes from a library, and is known to', () => {
	const passedOn = clauses.filter(({ text }) => text === '{{message}}').map(({ values }) => String(values['message']));
	const unknown = passedOn.filter((message) => !LIBRARY.some((known) => message.startsWith(known)));
	expect(unknown).toEqual([]);
	expect(LIBRARY.filter((known) => !passedOn.some((message) => message.startsWith(known)))).toEqual([]);
});

test("dcap-qvl's words that are translated are dcap-qvl's", () => {
	const library = readFileSync(join(CACHE, 'dcap.mjs'), 'utf8');
	const source = readFileSync(join(HERE, 'src/verifier/reason.ts'), 'utf8');
	const [, block] = /const KNOWN = \[(.*?)\];/s.exec(source)!;
	const known = [...block!.matchAll(/clause\('(.+)'\)/g)].map(([, text]) => text!);
	expect(known.length).toBeGreaterThan(10);
	for (const text of known) {
		expect(foreign(text)).toEqual(clause(text));
		expect(library).toContain(text);
	}
});

test('a reason inside a reason keeps its own values', () => {
	const inner = clause('its {{name}} is missing', { name: 'tcb_info' });
	expect(new Reason('{{what}} ({{cause}})', { what: 'no', cause: inner }).message).toBe('no (its tcb_info is missing)');
	expect(new ReasonSentence(inner).message).toBe('its tcb_info is missing.');
	expect(english(series([inner, clause('no such event'), inner]))).toBe(
		'its tcb_info is missing; no such event; its tcb_info is missing'
	);
});

test.each([0, 1, 2, 8, 9, 100_000])('a list of %d names is said in full, however long', (length) => {
	const names = Array.from({ length }, (_, i) => `name${i}`);
	expect(english(either(names))).toBe(names.join(' or '));
	const clauses = names.map((name) => clause('its {{name}} is missing', { name }));
	expect(english(series(clauses))).toBe(clauses.map(english).join('; '));
});

test('what a value holds is never a placeholder', () => {
	expect(fill('{{a}} {{b}}', { a: '{{b}}', b: '{{a}}' })).toBe('{{b}} {{a}}');
	expect(english(foreign('{{message}}'))).toBe('{{message}}');
	const error = new Error('ends in {{reason}}.');
	expect([english(reasonOf(error)), english(clauseOf(error))]).toEqual(['ends in {{reason}}.', 'ends in {{reason}}']);
});

test.each([
	['{"a": 1, "a": 1}', 'Malformed JSON at character 12: duplicate key "a"'],
	['[]', 'they are not a JSON object'],
	['{"v": 2, "events": [], "platforms": [{"mr_td": ""}]}', 'platform 1 lacks mr_td, 48 bytes as lower-case hex']
])('reference values %j: %s', (text, expected) => {
	const error = ((): unknown => {
		try {
			return parseReferences(text);
		} catch (thrown) {
			return thrown;
		}
	})() as Reason;
	expect([error.message, english(error.clause)]).toEqual([expected, expected]);
	for (const { text: template } of all(error.clause)) expect(listed).toHaveProperty([template]);
});

test('a sentence keeps its full stop, and a clause made of it has none', () => {
	const error = ((): unknown => {
		try {
			return parseJson('{');
		} catch (thrown) {
			return thrown;
		}
	})();
	const said = 'Malformed JSON at character 1: a member name is missing';
	expect([(error as Error).message, english(reasonOf(error)), english(clauseOf(error))]).toEqual([
		`${said}.`,
		`${said}.`,
		said
	]);
});

test("a page's own reason why a service could not be asked is passed through to be translated", async () => {
	const problem = clause('it answered with status {{status}}', { status: 500 });
	const vector = readCase('verified');
	const { checks } = await judge(vector, { service: { kind: 'trustee', url: 'https://trustee.example', problem } });
	const check = checks.find(({ id }) => id === 'service.token')!;
	expect(check).toMatchObject({ status: 'fail', texts: { reason: problem } });
	expect(check.detail).toBe('Trustee could not be asked: it answered with status 500.');
	expect(vector.now).toBe(NOW);
});
