/** What the shield and the panel say. English sentences are the translation keys. */
import { translate, translateKey } from './i18n';
import type { State } from './store';
import type { Overall, Sentence } from './types';

/** The measurements of the documented solution's tooltip, in its order. */
export const SHORT_MEASUREMENTS = [
	'mr_td',
	'rtmr_0',
	'rtmr_1',
	'rtmr_2',
	'rtmr_3',
	'mr_seam',
	'td_attributes',
	'xfam',
	'seam_attributes'
];

const LABELS: Record<Overall, string> = {
	verified: 'Verified',
	incomplete: 'Incomplete',
	simulated: 'Simulated',
	'not-acceptable': 'Not acceptable',
	'not-genuine': 'Not genuine'
};

const SUMMARIES: Record<Overall, string> = {
	verified: 'Verified: this service runs on genuine Intel TDX, and it is the one you expect.',
	incomplete: 'Genuine Intel TDX, but not everything could be checked.',
	simulated: 'Simulated: this service imitates Intel TDX in software. Nothing here is protected.',
	'not-acceptable': 'Not verified: a check failed. Do not type anything private.',
	'not-genuine': 'Not verified: this is not proven to be Intel TDX. Do not type anything private.'
};

/** One or two words beside the icon. */
export const labelOf = (now: State): Sentence => {
	if (now.phase === 'failed') return { text: 'Not verified' };
	if (now.phase !== 'done' || !now.report) return { text: 'Checking' };
	return { text: LABELS[now.report.overall] ?? 'Not verified' };
};

/** By what a verified server was recognised: the sentence of `release.match` says it. */
const acceptedAs = (now: State): Sentence | null => {
	const match = now.report?.checks.find(({ id }) => id === 'release.match');
	if (now.report?.overall !== 'verified' || !match) return null;
	if (match.key === 'tee.check.release.match.trusted') {
		return {
			text: 'Verified: genuine Intel TDX, the same as you trusted on {{date}}.',
			values: match.params
		};
	}
	return {
		text: 'Verified: genuine Intel TDX, and it matches the reference values “{{name}}”.',
		values: match.params
	};
};

/** One sentence: the tooltip's first line and the panel's headline. */
export const summaryOf = (now: State): Sentence => {
	if (now.failure) return now.failure;
	if (now.phase !== 'done' || !now.report) {
		return { text: 'Not verified yet: the check is running.' };
	}
	return acceptedAs(now) ?? { text: SUMMARIES[now.report.overall] ?? 'Not verified' };
};

/** What is said about a request that was kept back. */
export const refusal: Sentence = { text: 'Not sent: this server is not verified.' };

/** The checks that stand between a verdict and green, or why there is no verdict: in the person's language. */
export const failedChecks = (now: State): string => {
	if (!now.report) return translate(summaryOf(now).text, summaryOf(now).values);
	return now.report.checks
		.filter((check) => check.status === 'fail' || check.status === 'warn')
		.map((check) => translateKey(`tee.check.${check.id}.title`, {}, check.title))
		.join('; ');
};
