/** What the shield and the panel say. English sentences are the translation keys. */

import { tooltip } from '../data/td_report.json';
import { clause, type Clause } from '../shared/sentence.js';
import type { Check, Overall } from '../shared/verdict.js';
import type { ParsedQuote } from '../verifier.js';
import type { State } from './state.js';

export type Measurement = [name: string, hex: string];

/** What the tooltip shows of a quote: the measurements of the documented solution's, in its order. */
export const shortMeasurements = (quote: ParsedQuote | undefined): Measurement[] => measured(quote, tooltip);

/** The fields `names` that `quote` has. */
export const measured = (quote: ParsedQuote | undefined, names: string[]): Measurement[] =>
	names.flatMap((name): Measurement[] => {
		const value = quote?.[name as keyof ParsedQuote];
		return typeof value === 'string' ? [[name, value]] : [];
	});

const LABELS: Record<Overall, Clause> = {
	verified: clause('Verified'),
	incomplete: clause('Incomplete'),
	simulated: clause('Simulated'),
	'not-acceptable': clause('Not acceptable'),
	'not-genuine': clause('Not genuine')
};

const SUMMARIES: Record<Overall, Clause> = {
	verified: clause('Verified: this service runs on genuine Intel TDX, and it is the one you expect.'),
	incomplete: clause('Genuine Intel TDX, but not everything could be checked.'),
	simulated: clause('Simulated: this service imitates Intel TDX in software. Nothing here is protected.'),
	'not-acceptable': clause('Not verified: a check failed. Do not type anything private.'),
	'not-genuine': clause('Not verified: this is not proven to be Intel TDX. Do not type anything private.')
};

const NOT_VERIFIED = clause('Not verified');

/** One or two words beside the icon. */
export const labelOf = (now: State): Clause => {
	if (now.phase === 'failed') return NOT_VERIFIED;
	if (now.phase !== 'done' || !now.report) return clause('Checking');
	return LABELS[now.report.overall] ?? NOT_VERIFIED;
};

/** By what a verified server was recognised: the sentence of `release.match` says it. */
const acceptedAs = (now: State): Clause | null => {
	const match = now.report?.checks.find(({ id }) => id === 'release.match');
	if (now.report?.overall !== 'verified' || !match) return null;
	return match.key === 'tee.check.release.match.trusted'
		? clause('Verified: genuine Intel TDX, the same as you trusted on {{date}}.', match.params)
		: clause('Verified: genuine Intel TDX, and it matches the reference values “{{name}}”.', match.params);
};

/** One sentence: the tooltip's first line and the panel's headline. */
export const summaryOf = (now: State): Clause => {
	if (now.failure) return now.failure;
	if (now.phase !== 'done' || !now.report) return clause('Not verified yet: the check is running.');
	return acceptedAs(now) ?? SUMMARIES[now.report.overall] ?? NOT_VERIFIED;
};

/** What is said about a request that was kept back. */
export const refusal: Clause = clause('Not sent: this server is not verified.');

/** The checks that stand between a verdict and green. */
export const openChecks = (now: State): Check[] =>
	(now.report?.checks ?? []).filter(({ status }) => status === 'fail' || status === 'warn');
