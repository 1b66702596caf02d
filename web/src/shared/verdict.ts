/** The verdict: what was asked, what came of it, and the one word that the whole amounts to. */

import { quote, server } from '../data/checks.json';
import { overall as verdicts } from '../data/verdicts.json';
import type { Clause } from './sentence.js';

const CHECKS = { ...quote, ...server };
export type CheckId = keyof typeof CHECKS;
/** Every check, in the order of a verdict. */
export const CHECK_IDS = Object.keys(CHECKS) as CheckId[];
/** What is asked of a bare quote. */
export const BARE_CHECK_IDS = Object.keys(quote) as CheckId[];
export type Status = 'pass' | 'warn' | 'fail' | 'skipped';
export type Overall = keyof typeof verdicts;
export type Shield = 'red' | 'amber' | 'green';
export type Params = Record<string, string | number>;

export interface Check {
	id: CheckId;
	status: Status;
	title: string;
	/** One English sentence, or a few where several things differ; values included. */
	detail: string;
	/** Stable name of the sentence, for translations; `params` fill its {{placeholders}}. */
	key: string;
	params: Params;
	/** Those of `params` that are words of ours, by name, so that they can be translated before the sentence is. */
	texts?: Record<string, Clause>;
}

export interface Verdict {
	v: 1;
	overall: Overall;
	checks: Check[];
}

/** The overall statuses, worst first. */
const OVERALL = Object.keys(verdicts) as Overall[];

/** A check's title in English. */
export const titleOf = (id: CheckId): string => CHECKS[id].title;

const isWhole = (checks: Check[], ids: readonly CheckId[]): boolean =>
	checks.length === ids.length && checks.every((check, i) => check.id === ids[i]);

/**
 * The overall status of the checks of a bundle or of a bare quote. A skip counts as a pass only for `service.token`; a
 * list that is incomplete or out of order is a programming error and never amounts to anything but `not-genuine`.
 */
export function overall(checks: Check[]): Overall {
	if (!isWhole(checks, CHECK_IDS) && !isWhole(checks, BARE_CHECK_IDS)) return 'not-genuine';
	const failures = checks.filter((check) => check.status === 'fail').map((check) => CHECKS[check.id].failure);
	const worst = OVERALL.find((status) => failures.includes(status));
	if (worst) return worst;
	const passed = (check: Check) =>
		check.status === 'pass' || (check.status === 'skipped' && check.id === 'service.token');
	return checks.every(passed) ? 'verified' : 'incomplete';
}

/**
 * The colour a person sees: green only where every check passed, amber for warnings and for a simulated TEE where
 * nothing but `tee.real` failed, red for everything else, malformed verdicts included.
 */
export function shield(verdict: Pick<Verdict, 'checks'>): Shield {
	if (!isWhole(verdict.checks, CHECK_IDS)) return 'red'; // a bare quote says nothing about this server
	return verdicts[overall(verdict.checks)].shield as Shield;
}

/** Doubts about a bound key that trusting what is measured may be the answer to, or that no browser is without. */
const DOUBTS = ['platform', 'unseen', 'page', 'sealedplatform'].map((doubt) => `tee.check.binding.channel.${doubt}`);

/**
 * Whether all checks of quote, hardware and binding passed, but for such a doubt: only then do the measurements describe
 * what one is connected to, and only then is there anything to trust. Whoever runs a simulator makes it say what they like.
 */
export function canTrust(verdict: Pick<Verdict, 'checks'>): boolean {
	const needed = verdict.checks.filter((check) => /^(quote|tee|binding)\./.test(check.id));
	return needed.length === 7 && needed.every(({ status, key }) => status === 'pass' || DOUBTS.includes(key));
}
