/** Who says where the software comes from: the person's reference values where they know it, otherwise the server claims. */

import { expect, test } from 'vitest';
import { outsideCommand, provenanceOf } from '../../src/client/provenance.js';
import { NOTHING } from '../../src/client/state.js';
import { english } from '../../src/shared/sentence.js';
import type { Check } from '../../src/shared/verdict.js';
import type { Report } from '../../src/verifier.js';
import { done, GREEN, report, saying } from './standing-in.js';

const DIGEST = 'ab'.repeat(48);
const ABOUT = { version: '0.5.20-tdx1', commit: '01'.repeat(20), upstream: 'Open WebUI v0.5.20' };
const HELD = { v: 2, name: 'mine', release: ABOUT, events: [], platforms: [] };
const measured = (found: Report): Report => ({ ...found, facts: { ...found.facts, release: DIGEST } });
const matched = (key: string, status: Check['status'] = 'pass') =>
	measured(saying(report({ 'release.match': status }), { 'release.match': { key: `tee.check.release.match.${key}` } }));

const facts = (found: Report, references: object | null = HELD, version = '9.9.9') =>
	provenanceOf(done(found), references as never, { version }).map(({ name, value, by }) => [english(name), value, by]);

const KNOWN = [
	['Reference values', 'mine', 'references'],
	['Version', '0.5.20-tdx1', 'references'],
	['Commit', '01'.repeat(20), 'references'],
	['Built from', 'Open WebUI v0.5.20', 'references'],
	['SHA-384 of its manifest', DIGEST, 'references']
];
const CLAIMED = [
	['Version', '9.9.9', 'claim'],
	['SHA-384 of its manifest', DIGEST, 'claim']
];

test('what the reference values say is theirs, and the server is not asked', () => {
	expect(facts(matched('pass'))).toEqual(KNOWN);
	expect(facts(matched('doubtful', 'warn')), 'known, with a reservation').toEqual(KNOWN);
});

test.each([
	['no reference values are held', matched('none', 'warn'), null],
	['they do not know what was measured', matched('fail', 'fail'), HELD],
	['the person trusts what was seen once', matched('trusted'), HELD],
	['nothing was measured', matched('unmeasured', 'warn'), HELD],
	['nothing after the signature could be asked', matched('x', 'fail'), HELD]
])('the server claims it where %s', (_, found, references) => {
	expect(facts(found, references)).toEqual(CLAIMED);
});

test('reference values that say nothing of a release leave the version to the server', () => {
	for (const references of [{ ...HELD, release: undefined }, { ...HELD, release: {} }, { ...HELD, release: { version: '' } }])
		expect(facts(matched('pass'), references)).toEqual([KNOWN[0], CLAIMED[0], KNOWN[4]]);
});

test('what was not measured, and before there is a verdict, is not told', () => {
	expect(facts(GREEN, null, '')).toEqual([]);
	expect(provenanceOf(NOTHING, HELD as never, { version: '' })).toEqual([]);
});

test('the check from outside names this server', () => {
	expect(outsideCommand('https://chat.example')).toMatch(/^quote-verifier https:\/\/chat\.example /);
});
