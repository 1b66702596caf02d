/** Is the platform's security version good enough for the policy? */

import { fromHex } from '../shared/bytes.js';
import { evaluationNumber } from './collateral.js';
import type { PckExtension } from './pck.js';
import type { TcbPolicy } from './policy.js';
import type { ParsedQuote } from './quote.js';
import { clause, type Clause } from '../shared/sentence.js';
import { either } from './reason.js';
import type { Genuine } from './signature.js';
import type { Tcb } from './tcb-levels.js';
import type { Outcome } from './outcome.js';

export interface TcbFacts {
	/** TCB status of platform and TDX module, as Intel names it. */
	status: string;
	qe_status: string;
	advisories: string[];
	/** tcbDate of the platform's level, or 'unknown'. */
	date: string;
	evaluation: number;
	fmspc: string;
	pce_svn: number;
	issued: string;
	due: string;
}

const UNKNOWN: Tcb = { status: 'unknown', qe_status: 'unknown', advisories: [], date: 'unknown' };
const isTcb = (tcb: Genuine['tcb']): tcb is Tcb => 'status' in tcb;
const reaches = (actual: Uint8Array, least: Uint8Array): boolean => actual.every((svn, i) => svn >= least[i]!);

export function tcbFacts({ tcb, collateral, pck }: Genuine): TcbFacts {
	const { tcbInfo, qeIdentity } = collateral;
	return {
		...(isTcb(tcb) ? tcb : UNKNOWN),
		evaluation: evaluationNumber(tcbInfo, qeIdentity),
		fmspc: pck.fmspc,
		pce_svn: pck.pce_svn,
		issued: String(tcbInfo['issueDate']),
		due: String(tcbInfo['nextUpdate'])
	};
}

function checkMinimums(facts: TcbFacts, quote: ParsedQuote, policy: TcbPolicy): Outcome | null {
	const numbers: [string | Clause, number, number][] = [
		[clause('TCB evaluation data number'), facts.evaluation, policy.min_tcb_evaluation_data_number],
		['PCE SVN', facts.pce_svn, policy.min_pce_svn],
		['QE ISV SVN', quote.qe_isv_svn, policy.min_qe_isv_svn]
	];
	const below = numbers.find(([, actual, least]) => !(actual >= least));
	if (below) {
		const [field, actual, expected] = below;
		return { status: 'fail', key: 'tee.check.quote.tcb.minimum', params: { field, actual, expected } };
	}
	for (const field of ['tee_tcb_svn', 'tee_tcb_svn2'] as const) {
		const actual = quote[field];
		if (actual === undefined || reaches(fromHex(actual), fromHex(policy.min_tee_tcb_svn))) continue;
		return {
			status: 'fail',
			key: 'tee.check.quote.tcb.minimum',
			params: { field, actual, expected: policy.min_tee_tcb_svn }
		};
	}
	return null;
}

function checkFlags(pck: PckExtension, policy: TcbPolicy): Outcome | null {
	const allowed = {
		dynamic_platform: policy.allow_dynamic_platform,
		cached_keys: policy.allow_cached_keys,
		smt_enabled: policy.allow_smt
	};
	const field = (Object.keys(allowed) as (keyof typeof allowed)[]).find(
		(name) => !allowed[name] && pck[name] !== false
	);
	if (!field) return null;
	return {
		status: 'fail',
		key: 'tee.check.quote.tcb.flag',
		params: { field, actual: pck[field] === null ? clause('not stated') : String(pck[field]), expected: 'false' }
	};
}

const listed = (advisories: string[]): string | Clause => advisories.join(', ') || clause('none');

function checkStatus(facts: TcbFacts, policy: TcbPolicy): Outcome | null {
	const expected = ['UpToDate', ...policy.accepted_statuses];
	const actual = [facts.status, facts.qe_status].find((status) => !expected.includes(status));
	if (actual === undefined) return null;
	const advisories = listed(facts.advisories);
	return {
		status: 'fail',
		key: 'tee.check.quote.tcb.outofdate',
		params: { actual, expected: either(expected), date: facts.date, advisories }
	};
}

/** `facts` are those of a genuine quote; see `docs/web.md` for what passes. */
export function checkTcb(genuine: Genuine, facts: TcbFacts, quote: ParsedQuote, policy: TcbPolicy): Outcome {
	if (!isTcb(genuine.tcb)) return { status: 'fail', key: 'tee.check.quote.tcb.below', params: { reason: genuine.tcb } };
	if (genuine.tcb.status === 'Revoked') return { status: 'fail', key: 'tee.check.quote.tcb.revoked' };
	const refused = facts.advisories.find((one) => policy.refused_advisories.includes(one));
	const refusal: Outcome | null = refused
		? { status: 'fail', key: 'tee.check.quote.tcb.advisory', params: { actual: refused } }
		: null;
	const fault =
		checkStatus(facts, policy) ?? refusal ?? checkMinimums(facts, quote, policy) ?? checkFlags(genuine.pck, policy);
	if (fault) return fault;
	const { date, evaluation } = facts;
	const advisories = listed(facts.advisories);
	const tolerated = [facts.status, facts.qe_status].find((status) => status !== 'UpToDate');
	if (tolerated)
		return { status: 'warn', key: 'tee.check.quote.tcb.tolerated', params: { actual: tolerated, date, advisories } };
	const unknown = facts.advisories.filter((one) => !policy.accepted_advisories.includes(one));
	if (unknown.length > 0)
		return { status: 'warn', key: 'tee.check.quote.tcb.advisories', params: { advisories: unknown.join(', ') } };
	return { status: 'pass', key: 'tee.check.quote.tcb.uptodate', params: { date, evaluation } };
}
