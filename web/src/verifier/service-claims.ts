/** What a service's valid token says, compared with the quote: Alibaba Cloud's flat claims and Trustee's EAR. */

import claims from '../data/service_claims.json';
import { TD_REPORT_FIELDS, type ParsedQuote, type TdReport } from './quote.js';
import { clause } from '../shared/sentence.js';
import { ClaimRefused, NotAffirmed, TokenRefused, type ServiceChoice } from './service-choice.js';
import { isObject, parseObject, type JsonObject } from '../shared/strict-json.js';

export type Appraisal = 'affirming' | 'warning';

/** Claims that must be there and equal; further ones must be equal where they are there. */
const REQUIRED = claims.required as (keyof TdReport)[];
/** Names of both services -> ours. */
const NAMES = claims.names as Record<string, keyof TdReport>;

function requireClaim(field: keyof TdReport, actual: unknown, quote: ParsedQuote): void {
	const expected = quote[field];
	if (actual !== expected)
		throw new ClaimRefused(
			field,
			actual === undefined ? clause('missing') : String(actual).slice(0, 160),
			String(expected)
		);
}

/** `claims`: fields of the TD report by the service's names, lower-case hex of the raw bytes. */
function requireBody(claims: JsonObject, quote: ParsedQuote): void {
	for (const field of REQUIRED) requireClaim(field, claims[field], quote);
	for (const [theirs, value] of Object.entries(claims)) {
		const field = Object.hasOwn(NAMES, theirs) ? NAMES[theirs]! : (theirs as keyof TdReport);
		if (TD_REPORT_FIELDS.includes(field) && quote[field] !== undefined) requireClaim(field, value, quote);
	}
}

function alibaba(choice: ServiceChoice, payload: JsonObject, quote: ParsedQuote): Appraisal {
	const { origin } = new URL(choice.url);
	for (const key of ['iss', 'aud'])
		if (payload[key] !== origin)
			throw new TokenRefused('its {{field}} is {{actual}}, expected {{expected}}', {
				field: key,
				actual: String(payload[key]).slice(0, 200),
				expected: origin
			});
	if (payload['tee'] !== 'tdx' || typeof payload['tcb-status'] !== 'string')
		throw new TokenRefused('it is not about a TDX quote');
	const status = parseObject(payload['tcb-status'], clause('its tcb-status'));
	const prefix = 'tdx.quote.body.';
	const body = Object.entries(status)
		.filter(([key]) => key.startsWith(prefix))
		.map(([key, value]) => [key.slice(prefix.length), value]);
	requireBody(Object.fromEntries(body) as JsonObject, quote);
	if (status['report_data'] !== undefined) requireClaim('report_data', status['report_data'], quote);
	if (![undefined, false].includes(status['tdx.td_attributes.debug'] as undefined))
		throw new TokenRefused('it says that the TD is debuggable');
	return 'affirming';
}

const member = (value: unknown, ...path: string[]): unknown =>
	path.reduce<unknown>((inner, key) => (isObject(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined), value);

/** The CPU's submodule (`cpu` up to Trustee 0.13, `cpu0` later), and the statuses of all submodules. */
function submodules(payload: JsonObject): { cpu: JsonObject; statuses: string[] } {
	const all = payload['submods'];
	if (!isObject(all) || !Object.values(all).every(isObject)) throw new TokenRefused('it has no submods');
	const cpus = ['cpu', 'cpu0'].map((name) => member(all, name)).filter(isObject);
	if (cpus.length !== 1) throw new TokenRefused('it has not exactly one of the submodules cpu and cpu0');
	return { cpu: cpus[0]!, statuses: Object.values(all).map((one) => String(member(one, 'ear.status'))) };
}

function trustee(payload: JsonObject, quote: ParsedQuote): Appraisal {
	const { cpu, statuses } = submodules(payload);
	const refused = statuses.find((status) => status !== 'affirming' && status !== 'warning');
	if (refused !== undefined) throw new NotAffirmed(refused.slice(0, 40));
	const evidence = member(cpu, 'ear.veraison.annotated-evidence');
	const body = member(evidence, 'tdx', 'quote', 'body');
	if (!isObject(body)) throw new TokenRefused('its annotated evidence holds no TDX quote');
	const outer = member(evidence, 'report_data');
	requireBody({ report_data: outer as string, ...body }, quote);
	if (outer !== undefined) requireClaim('report_data', outer, quote);
	return statuses.includes('warning') ? 'warning' : 'affirming';
}

/** The service's appraisal of `quote`; throws TokenRefused where its claims are missing, or about something else. */
export function checkClaims(choice: ServiceChoice, payload: JsonObject, quote: ParsedQuote): Appraisal {
	return choice.kind === 'alibaba' ? alibaba(choice, payload, quote) : trustee(payload, quote);
}
