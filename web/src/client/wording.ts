/** What the shield and the panel say. English sentences are the translation keys. */

import { tooltip } from '../data/td_report.json';
import { clause, type Clause } from '../shared/sentence.js';
import { shield, type Check, type Overall, type Shield } from '../shared/verdict.js';
import type { ParsedQuote } from '../verifier.js';
import type { Kind } from './content.js';
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

/** What people see: grey while there is no verdict yet, which is nobody's fault. It opens nothing: only green does. */
export type Colour = Shield | 'grey';
export const colourOf = (now: State): Colour => {
	if (now.phase === 'checking' || now.phase === 'idle') return 'grey';
	return now.phase === 'done' && now.report ? shield(now.report) : 'red';
};

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

/** Nothing was found wrong: what signatures are checked by could not be had. */
export const cannotCheck = (now: State): boolean =>
	now.report?.checks.some(({ key }) => key === 'tee.check.quote.signature.nocollateral') ?? false;

/** One or two words beside the icon. */
export const labelOf = (now: State): Clause => {
	if (now.phase === 'failed') return NOT_VERIFIED;
	if (now.phase !== 'done' || !now.report) return clause('Checking');
	if (cannotCheck(now)) return clause('Cannot check');
	return LABELS[now.report.overall] ?? NOT_VERIFIED;
};

const find = (now: State, id: Check['id']) => now.report?.checks.find((check) => check.id === id);

/** By what a verified server was recognised: the sentence of `release.match` says it. */
const acceptedAs = (now: State): Clause | null => {
	const match = find(now, 'release.match');
	if (now.report?.overall !== 'verified' || !match) return null;
	return match.key === 'tee.check.release.match.trusted'
		? clause('Verified: genuine Intel TDX, the same as you trusted on {{date}}.', match.params)
		: clause('Verified: genuine Intel TDX, and it matches the reference values “{{name}}”.', match.params);
};

/** What changed since the person trusted it, where nothing else is wrong. */
const changedSince = (now: State): Clause | null => {
	if (now.report?.overall !== 'not-acceptable') return null;
	const changed = now.report.checks.filter(({ key }) => key.endsWith('.changed'));
	const failed = now.report.checks.filter(({ status }) => status === 'fail');
	const [first, second] = changed.map(({ params, texts }) => texts?.['parts'] ?? String(params['parts'] ?? ''));
	if (first === undefined || failed.length > changed.length) return null;
	const parts = second === undefined ? first : clause('{{first}}, {{next}}', { first, next: second });
	const date = String(changed[0]?.params['date'] ?? '');
	return clause('This server changed since you trusted it on {{date}}: {{parts}}.', { date, parts });
};

/** One sentence: the tooltip's first line and the panel's headline. */
export const summaryOf = (now: State): Clause => {
	if (now.failure) return now.failure;
	if (now.phase !== 'done' || !now.report) return clause('Not verified yet: the check is running.');
	if (cannotCheck(now))
		return clause(
			'Cannot be checked now: the lists by which signatures are checked could not be had. Do not type anything private.'
		);
	return acceptedAs(now) ?? changedSince(now) ?? SUMMARIES[now.report.overall] ?? NOT_VERIFIED;
};

const REFUSALS: Record<Kind, Clause> = {
	message: clause('Your message was not sent: this server is not verified.'),
	file: clause('Your file was not sent: this server is not verified.'),
	recording: clause('Your recording was not sent: this server is not verified.'),
	settings: clause('Your settings were not sent: this server is not verified.'),
	password: clause('Your password was not sent: this server is not verified.'),
	text: clause('What you typed was not sent: this server is not verified.')
};

/** What is said about a request that was kept back. */
export const refusalOf = (kind: Kind): Clause => REFUSALS[kind];

/** A check that says no more than that one before it failed. */
export const notAsked = ({ key }: Check): boolean => key === 'tee.check.blocked';

/** The checks that stand between a verdict and green: each for its own reason. */
export const openChecks = (now: State): Check[] =>
	(now.report?.checks ?? []).filter(
		(check) => (check.status === 'fail' || check.status === 'warn') && !notAsked(check)
	);
