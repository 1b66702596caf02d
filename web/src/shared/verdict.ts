/** The verdict: what was asked, what came of it, and the one word that the whole amounts to. */

import type { Clause } from './sentence.js';

export const CHECK_IDS = [
	'quote.format',
	'quote.signature',
	'quote.tcb',
	'quote.debug',
	'tee.real',
	'binding.nonce',
	'binding.channel',
	'eventlog.replay',
	'release.match',
	'platform.match',
	'service.token'
] as const;
/** What is asked of a bare quote. */
export const BARE_CHECK_IDS = CHECK_IDS.slice(0, 5);
export type CheckId = (typeof CHECK_IDS)[number];
export type Status = 'pass' | 'warn' | 'fail' | 'skipped';
export type Overall = 'verified' | 'incomplete' | 'simulated' | 'not-acceptable' | 'not-genuine';
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

/** Overall status that a failure of each check means. */
const FAILURE: Record<CheckId, Overall> = {
	'quote.format': 'not-genuine',
	'quote.signature': 'not-genuine',
	'quote.tcb': 'not-acceptable',
	'quote.debug': 'not-acceptable',
	'tee.real': 'simulated',
	'binding.nonce': 'not-genuine',
	'binding.channel': 'not-genuine',
	'eventlog.replay': 'not-genuine',
	'release.match': 'not-acceptable',
	'platform.match': 'not-acceptable',
	'service.token': 'not-acceptable'
};
const PRECEDENCE: Overall[] = ['not-genuine', 'not-acceptable', 'simulated'];

const isWhole = (checks: Check[], ids: readonly CheckId[]): boolean =>
	checks.length === ids.length && checks.every((check, i) => check.id === ids[i]);

/**
 * The overall status of the checks of a bundle or of a bare quote. A skip counts as a pass only for `service.token`; a
 * list that is incomplete or out of order is a programming error and never amounts to anything but `not-genuine`.
 */
export function overall(checks: Check[]): Overall {
	if (!isWhole(checks, CHECK_IDS) && !isWhole(checks, BARE_CHECK_IDS)) return 'not-genuine';
	const failures = new Set(checks.filter((check) => check.status === 'fail').map((check) => FAILURE[check.id]));
	const worst = PRECEDENCE.find((status) => failures.has(status));
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
	const result = overall(verdict.checks);
	if (result === 'verified') return 'green';
	return result === 'incomplete' || result === 'simulated' ? 'amber' : 'red';
}

/** Whether all quote and binding checks passed: only then do the measurements describe what one is connected to. */
export function canTrust(verdict: Pick<Verdict, 'checks'>): boolean {
	const needed = verdict.checks.filter((check) => /^(quote|binding)\./.test(check.id));
	return needed.length === 6 && needed.every((check) => check.status === 'pass');
}
