/**
 * Through `quote-verifier connect` this page is served by that program on the person's own machine: it verified the service
 * by what the person holds, and seals each request. It says so before any script of the page runs; whoever else could say it
 * could change the page as well.
 */

import { overall, type Check } from '../shared/verdict.js';
import type { Report } from '../verifier.js';
import { RoundError } from './failure.js';

type Told = { detail?: string; checks?: Pick<Check, 'id' | 'status' | 'title' | 'detail'>[] };

/** Whether connect serves this page. */
export const throughConnect = (): boolean => 'quoteVerifierConnect' in window;

/** The report, with the judgement of the person's own verifier in the place of this page's, which holds nothing of theirs. */
export const judgedByConnect = async (report: Report): Promise<Report> => {
	if (!throughConnect()) return report;
	const answer = await fetch('/connect/verdict', { cache: 'no-store', credentials: 'omit' }).catch(() => null);
	const told = (await answer?.json().catch(() => null)) as Told | null | undefined;
	if (!answer || !told) throw new RoundError('The server could not be reached.');
	if (!answer.ok || !told.checks) {
		throw new RoundError('The server has no evidence to give now: {{detail}}', { detail: String(told.detail) });
	}
	const checks = told.checks.map((check) => ({ ...check, key: `tee.connect.${check.id}`, params: {} }));
	return { ...report, checks, overall: overall(checks) };
};
