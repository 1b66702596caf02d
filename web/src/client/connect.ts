/**
 * Through `quote-verifier connect` this page is served by that program on the person's own machine: it verified the service
 * by what the person holds, and seals each request. It says so before any script of the page runs; whoever else could say it
 * could change the page as well.
 */

import { overall, type Check, type CheckId } from '../shared/verdict.js';
import type { Report } from '../verifier.js';
import { RoundError } from './failure.js';

type Told = { detail?: string; checks?: Pick<Check, 'id' | 'status' | 'title' | 'detail'>[] };

/** Whether connect serves this page. */
export const throughConnect = (): boolean => 'quoteVerifierConnect' in window;

/**
 * What hardware it is, and how data lies on its disk, follow from evidence alone: where both judge alike, the page has a
 * sentence of its own, and calls simulated hardware and plain text so.
 */
const FROM_EVIDENCE: CheckId[] = ['tee.real', 'data.protected'];

/** The report, with the judgement of the person's own verifier in the place of this page's, which holds nothing of theirs. */
export const judgedByConnect = async (report: Report): Promise<Report> => {
	if (!throughConnect()) return report;
	const answer = await fetch('/connect/verdict', { cache: 'no-store', credentials: 'omit' }).catch(() => null);
	const told = (await answer?.json().catch(() => null)) as Told | null | undefined;
	if (!answer || !told) throw new RoundError('The server could not be reached.');
	if (!answer.ok || !told.checks) {
		throw new RoundError('The server has no evidence to give now: {{detail}}', { detail: String(told.detail) });
	}
	const checks = told.checks.map((check): Check => {
		const own = FROM_EVIDENCE.includes(check.id) && report.checks.find(({ id, status }) => id === check.id && status === check.status);
		return own || { ...check, key: `tee.connect.${check.id}`, params: {} };
	});
	return { ...report, checks, overall: overall(checks) };
};
