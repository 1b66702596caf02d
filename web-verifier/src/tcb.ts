/** Is the platform's trusted computing base good enough for the policy? */

import type { Policy } from './policy.js';
import type { Genuine } from './signature.js';
import { isObject } from './strict-json.js';
import type { Outcome, Params } from './verdict.js';

export interface TcbFacts {
	status: string;
	advisories: string[];
	/** tcbDate of the newest level: the date that Intel's evaluation is about. */
	date: string;
	evaluation: string;
	fmspc: string;
	issued: string;
	due: string;
}

export function tcbFacts({ status, advisories, collateral: { tcbInfo } }: Genuine): TcbFacts {
	const levels = Array.isArray(tcbInfo['tcbLevels']) ? tcbInfo['tcbLevels'] : [];
	const level = levels.find((one) => isObject(one) && one['tcbStatus'] === status);
	return {
		status,
		advisories,
		date: isObject(level) ? String(level['tcbDate']).slice(0, 10) : 'unknown',
		evaluation: String(tcbInfo['tcbEvaluationDataNumber']),
		fmspc: String(tcbInfo['fmspc']),
		issued: String(tcbInfo['issueDate']),
		due: String(tcbInfo['nextUpdate'])
	};
}

export function checkTcb(genuine: Genuine, policy: Policy): Outcome {
	const facts = tcbFacts(genuine);
	const refused = facts.advisories.filter((one) => policy.refused_advisories.includes(one));
	if (refused.length > 0) return { status: 'fail', key: 'tee.check.quote.tcb.advisory', params: { actual: refused.join(', ') } };
	const params: Params = { date: facts.date, evaluation: facts.evaluation };
	if (facts.status === 'UpToDate') return { status: 'pass', key: 'tee.check.quote.tcb.uptodate', params };
	const details: Params = { ...params, actual: facts.status, advisories: facts.advisories.join(', ') || 'none' };
	if (policy.tcb_statuses.includes(facts.status)) return { status: 'warn', key: 'tee.check.quote.tcb.tolerated', params: details };
	const expected = ['UpToDate', ...policy.tcb_statuses].join(', ');
	return { status: 'fail', key: 'tee.check.quote.tcb.outofdate', params: { ...details, expected } };
}
