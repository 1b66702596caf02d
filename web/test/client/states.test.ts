/** What people read: one sentence for each state, and colours that promise nothing before a verdict. */

import { expect, test } from 'vitest';
import { NOTHING } from '../../src/client/state.js';
import { cannotCheck, colourOf, labelOf, openChecks, summaryOf } from '../../src/client/wording.js';
import { clause, english } from '../../src/shared/sentence.js';
import type { Check, CheckId } from '../../src/shared/verdict.js';
import { done, FORGED, GREEN, REFUSED, report, saying, SIMULATED, WARNED } from './standing-in.js';

test('grey while there is no verdict, red where there can be none', () => {
	expect(colourOf(NOTHING)).toBe('grey');
	expect(colourOf({ ...NOTHING, phase: 'checking' })).toBe('grey');
	expect(colourOf({ ...NOTHING, phase: 'failed' })).toBe('red');
	expect([GREEN, WARNED, SIMULATED, REFUSED, FORGED].map((one) => colourOf(done(one)))).toEqual([
		'green',
		'amber',
		'amber',
		'red',
		'red'
	]);
});

const UNASKED = saying(report({ 'quote.signature': 'fail', 'quote.tcb': 'fail' }), {
	'quote.signature': { key: 'tee.check.quote.signature.nocollateral' },
	'quote.tcb': { key: 'tee.check.blocked' }
});

test('where no collateral is to be had nobody is called a forger, and it stays red', () => {
	const now = done(UNASKED);
	expect([cannotCheck(now), cannotCheck(done(FORGED))]).toEqual([true, false]);
	expect([colourOf(now), english(labelOf(now))]).toEqual(['red', 'Cannot check']);
	expect(english(summaryOf(now))).toMatch(/^Cannot be checked now: /);
});

test('a refusal names what is wrong once, not what could not be asked after it', () => {
	expect(openChecks(done(UNASKED)).map(({ id }) => id)).toEqual(['quote.signature']);
	expect(openChecks(done(GREEN))).toEqual([]);
});

const changed = (id: CheckId, parts: string): Partial<Check> => ({
	key: `tee.check.${id}.changed`,
	params: { date: '2026-03-03', parts },
	texts: { parts: clause('kernel') }
});

test('a changed server is called that, with the day and what changed in words', () => {
	const both = saying(report({ 'release.match': 'fail', 'platform.match': 'fail' }), {
		'release.match': { ...changed('release.match', 'x'), texts: { parts: clause('model {{name}}', { name: 'a' }) } },
		'platform.match': changed('platform.match', 'kernel')
	});
	expect(english(summaryOf(done(both)))).toBe('This server changed since you trusted it on 2026-03-03: model a, kernel.');
	const worse = saying(report({ 'quote.tcb': 'fail', 'platform.match': 'fail' }), {
		'platform.match': changed('platform.match', 'kernel')
	});
	expect(english(summaryOf(done(worse)))).toBe('Not verified: a check failed. Do not type anything private.');
});
