/** One label and one sentence for every state: never a good word before a verdict, nor after one that is not good. */

import { expect, test } from 'vitest';
import { allMeasurements } from '../../src/client/measurements.js';
import { NOTHING, type State } from '../../src/client/state.js';
import { labelOf, openChecks, refusalOf, shortMeasurements, summaryOf } from '../../src/client/wording.js';
import { td_10, td_15, tooltip } from '../../src/data/td_report.json';
import { clause, english } from '../../src/shared/sentence.js';
import type { ParsedQuote, Report } from '../../src/verifier.js';
import { FORGED, GREEN, REFUSED, report, SIMULATED, WARNED } from './standing-in.js';

const done = (judged: Report): State => ({ ...NOTHING, phase: 'done', report: judged });
const said = (now: State) => [english(labelOf(now)), english(summaryOf(now))];

/** A green report whose `release.match` says by what the server was recognised. */
function known(key: string, params: Record<string, string>, judged: Report = GREEN): Report {
	const checks = judged.checks.map((check) => (check.id === 'release.match' ? { ...check, key, params } : check));
	return { ...judged, checks };
}
const BY_REFERENCES = known('tee.check.release.match.pass', { name: 'the house' });

test.each([
	['before the first round', NOTHING],
	['during a round', { ...NOTHING, phase: 'checking' as const }],
	['during a round, whatever was judged before', { ...NOTHING, phase: 'checking' as const, report: GREEN }],
	['done without a report', { ...NOTHING, phase: 'done' as const }]
])('%s: checking', (_, now) => {
	expect(said(now)).toEqual(['Checking', 'Not verified yet: the check is running.']);
});

test('a round that failed says why, and is not verified, whatever was judged before', () => {
	const failure = clause('The server says no: {{reason}}', { reason: 'too busy' });
	const now: State = { ...NOTHING, phase: 'failed', failure, report: GREEN };
	expect(said(now)).toEqual(['Not verified', 'The server says no: too busy']);
});

test.each([
	[WARNED, 'Incomplete', 'Genuine Intel TDX, but not everything could be checked.'],
	[SIMULATED, 'Simulated', 'Simulated: this service imitates Intel TDX in software. Nothing here is protected.'],
	[REFUSED, 'Not acceptable', 'Not verified: a check failed. Do not type anything private.'],
	[FORGED, 'Not genuine', 'Not verified: this is not proven to be Intel TDX. Do not type anything private.']
])('$overall', (judged, label, summary) => {
	expect(said(done(judged))).toEqual([label, summary]);
	const [, same] = said(done(known('tee.check.release.match.pass', { name: 'the house' }, judged)));
	expect(same).toBe(summary);
});

test('a verified server is named by what it was recognised by', () => {
	expect(said(done(BY_REFERENCES))).toEqual([
		'Verified',
		'Verified: genuine Intel TDX, and it matches the reference values “the house”.'
	]);
	const trusted = known('tee.check.release.match.trusted', { date: '2026-01-01' });
	expect(said(done(trusted))[1]).toBe('Verified: genuine Intel TDX, the same as you trusted on 2026-01-01.');
	const without = { ...GREEN, checks: GREEN.checks.filter(({ id }) => id !== 'release.match') };
	expect(said(done(without))[1]).toBe('Verified: this service runs on genuine Intel TDX, and it is the one you expect.');
});

test('an overall status that is newer than the page is not verified', () => {
	const newer = { ...GREEN, overall: 'splendid' as unknown as Report['overall'] };
	expect(said(done(newer))).toEqual(['Not verified', 'Not verified']);
	expect(english(refusalOf('message'))).toBe('Your message was not sent: this server is not verified.');
});

test('what stands between a verdict and green is what failed or warned, in order', () => {
	expect(openChecks(NOTHING)).toEqual([]);
	expect(openChecks(done(GREEN))).toEqual([]);
	const judged = report({ 'release.match': 'warn', 'quote.tcb': 'fail', 'service.token': 'skipped' });
	expect(openChecks(done(judged)).map(({ id, status }) => [id, status])).toEqual([
		['quote.tcb', 'fail'],
		['release.match', 'warn']
	]);
});

const quoteOf = (fields: object) =>
	Object.fromEntries(Object.keys(fields).map((name) => [name, `${name} in hex`])) as unknown as ParsedQuote;

test('measurements: the tooltip’s in its order, then every other field of the report once', () => {
	const old = quoteOf(td_10);
	expect(shortMeasurements(old)).toEqual(tooltip.map((name) => [name, `${name} in hex`]));
	const names = allMeasurements(old).map(([name]) => name);
	expect(names.slice(0, tooltip.length)).toEqual(tooltip);
	expect([...names].sort()).toEqual(Object.keys(td_10).sort());
	const all = { ...td_10, ...td_15 };
	expect(allMeasurements(quoteOf(all)).map(([name]) => name).sort()).toEqual(Object.keys(all).sort());
});

test('measurements: none without a quote, and nothing that is no text', () => {
	expect(shortMeasurements(undefined)).toEqual([]);
	expect(allMeasurements({ mr_td: 7, rtmr_0: 'ab' } as unknown as ParsedQuote)).toEqual([['rtmr_0', 'ab']]);
});
