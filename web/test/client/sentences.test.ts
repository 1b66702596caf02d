/** The client's handling of sentences: what the server answers, and why a round failed. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recognise } from '../../src/client/answers.js';
import { RoundError, sentenceOf } from '../../src/client/failure.js';
import { english } from '../../src/shared/sentence.js';

const source = readFileSync(join(import.meta.dirname, '../../src/client/answers.ts'), 'utf8');
const answers = [...source.matchAll(/^\t(?:'(.+)'|"(.+)"),?$/gm)].map(([, single, double]) => (single ?? double)!);

test('there are answers', () => expect(answers.length).toBeGreaterThan(20));

test.each(answers)('the answer "%s" is recognised, with its values', (text) => {
	const names = [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name!);
	const values = Object.fromEntries(names.map((name) => [name, `https://${name}.example/a?b=c (d)`]));
	const said = english({ text, values });
	expect(said).not.toContain('{{');
	expect(recognise(said)).toEqual({ text, values });
});

test.each(['Internal Server Error', 'The PCCS is tired.', '', 'x '.repeat(5000)])('%j is passed on', (detail) =>
	expect(recognise(detail)).toBe(detail)
);

test('a reason inside a failure keeps its values, and its English is the whole sentence', () => {
	const detail = recognise('The PCCS answered 404 for https://pccs.example.');
	const error = new RoundError('The server has no evidence to give now: {{detail}}', { detail });
	expect(error.message).toBe('The server has no evidence to give now: The PCCS answered 404 for https://pccs.example.');
	expect(sentenceOf(error)).toEqual({
		text: 'The server has no evidence to give now: {{detail}}',
		values: {
			detail: {
				text: 'The PCCS answered {{status}} for {{url}}.',
				values: { status: '404', url: 'https://pccs.example' }
			}
		}
	});
	expect(english(sentenceOf(new Error('no idea')))).toBe('The check failed: no idea');
});
