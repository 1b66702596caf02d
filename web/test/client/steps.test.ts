/** The steps say no more than the checks: as good as the worst of them, whatever fails. */

import { expect, test } from 'vitest';
import { STEPS, stepsOf } from '../../src/client/steps.js';
import { english } from '../../src/shared/sentence.js';
import { CHECK_IDS, type Check, type CheckId } from '../../src/shared/verdict.js';
import type { Report } from '../../src/verifier.js';
import { NOTHING } from '../../src/client/state.js';
import { done, GREEN, report, saying, SIMULATED } from './standing-in.js';

const answers = (found: Report, file = false) =>
	Object.fromEntries(stepsOf(done(found), file).map(({ id, answer }) => [id, answer]));
const sentences = (found: Report, file = false) =>
	Object.fromEntries(stepsOf(done(found), file).map(({ id, sentence }) => [id, english(sentence)]));
const BLOCKED: Partial<Check> = { key: 'tee.check.blocked' };

test('every check belongs to one step', () => {
	expect(Object.values(STEPS).flat().sort()).toEqual([...CHECK_IDS].sort());
});

test('all green answers yes four times, and nobody asked the graphics processor', () => {
	expect(answers(GREEN)).toEqual({ hardware: 'yes', connection: 'yes', software: 'yes', data: 'yes', gpu: 'unknown' });
	expect(stepsOf(NOTHING)).toEqual([]);
});

test.each(CHECK_IDS)('a step is as good as its worst check: %s', (id: CheckId) => {
	const [step] = Object.entries(STEPS).find(([, checks]) => checks.includes(id))!;
	expect(answers(report({ [id]: 'fail' }))[step]).toBe('no');
	expect(answers(report({ [id]: 'warn' }))[step]).toBe('unsure');
	expect(answers(saying(report({ [id]: 'fail' }), { [id]: BLOCKED }))[step]).toBe('unknown');
	expect(sentences(report({ [id]: 'fail' }))[step]).not.toMatch(/^Yes/);
});

test('one cause has one cross, the rest was not checked', () => {
	const rest = CHECK_IDS.slice(2).filter((id) => id !== 'service.token');
	const fails = ['quote.signature' as const, ...rest].map((id) => [id, 'fail'] as const);
	const failed = report(Object.fromEntries(fails));
	const found = saying(failed, Object.fromEntries(rest.map((id) => [id, BLOCKED])));
	expect(answers(found)).toEqual({ hardware: 'no', connection: 'unknown', software: 'unknown', data: 'unknown', gpu: 'unknown' });
	const down = saying(found, { 'quote.signature': { key: 'tee.check.quote.signature.nocollateral' } });
	expect(answers(down).hardware).toBe('unknown');
	expect(sentences(down).hardware).toMatch(/^Cannot be checked now/);
});

test('nothing on simulated hardware is answered with yes', () => {
	const simulated = saying(SIMULATED, { 'tee.real': { key: 'tee.check.tee.real.simulated' } });
	expect(answers(simulated)).toEqual({ hardware: 'no', connection: 'unknown', software: 'unknown', data: 'unknown', gpu: 'unknown' });
	expect(Object.values(sentences(simulated)).filter((text) => /Yes|Intel/.test(text))).toEqual([]);
});

test('evidence in a file says nothing about a connection', () => {
	expect(answers(GREEN, true)).toMatchObject({ hardware: 'yes', connection: 'unknown' });
	expect(answers(report({ 'binding.channel': 'fail' }), true).connection).toBe('unknown');
});

test('by what the software was recognised, and since when it differs', () => {
	const trusted = { key: 'tee.check.release.match.trusted', params: { date: '2026-03-03' } };
	expect(sentences(saying(GREEN, { 'release.match': trusted })).software).toBe('Yes: it is the same as you trusted on 2026-03-03.');
	const changed = { key: 'tee.check.platform.match.changed', params: { date: '2026-03-03' } };
	const found = saying(report({ 'platform.match': 'fail' }), { 'platform.match': changed });
	expect(sentences(found).software).toBe('No: it is not the same any more as what you trusted on 2026-03-03.');
});

test('a genuine processor with gaps is not called an imitation', () => {
	expect(sentences(report({ 'quote.tcb': 'fail' })).hardware).toMatch(/^It is a genuine Intel processor, but/);
	expect(sentences(report({ 'quote.tcb': 'fail', 'quote.format': 'fail' })).hardware).toMatch(/^No/);
});
