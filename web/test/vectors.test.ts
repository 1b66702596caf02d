/** Every shared vector gets its verdict, from the very files that a release ships: see tests/vectors/README.md. */

import { describe, expect, test } from 'vitest';
import { judge, readCase, vectorNames as names } from './helpers.js';

test('there are vectors', () => expect(names.length).toBeGreaterThan(200));

describe('the shared vectors', () => {
	test.each(names)('%s', async (name) => {
		const vector = readCase(name);
		const verdict = await judge(vector);
		const actual = Object.fromEntries(verdict.checks.map(({ id, status }) => [id, status]));
		const details = JSON.stringify(
			verdict.checks.map(({ id, detail }) => [id, detail]),
			null,
			1
		);
		expect(actual, details).toEqual(vector.expect.checks);
		expect(verdict.overall, details).toBe(vector.expect.overall);
		for (const [id, words] of Object.entries(vector.expect.says ?? {}))
			expect(verdict.checks.find((check) => check.id === id)!.detail).toContain(words);
		for (const check of verdict.checks) expect(check.detail, check.id).not.toMatch(/\{\{|undefined|\[object/);
	});
});
