/**
 * Which TCB levels do platform, TDX module and quoting enclave reach? dcap-qvl judges this as well, but gives no answer
 * where one of them is below every level that Intel lists; such a quote is genuine all the same. `signature.ts` asks
 * both, and believes neither alone where both answer. Call only with documents whose signatures dcap-qvl has checked.
 * (Intel PCS API version 4, "Get TDX TCB Info", "Enclave Identity Information"; the rules are those of Intel's quote
 * verification library.)
 */

import { fromHex, toHex } from '../shared/bytes.js';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { isObject, type Json, type JsonObject } from '../shared/strict-json.js';
import { CollateralError, type Collateral } from './collateral.js';
import type { PckExtension } from './pck.js';
import { QE_REPORT_FIELDS, type ParsedQuote } from './quote.js';

/** Platform, TDX module or QE is below every level; the clause says what it lacks. */
export class BelowLevels extends Reason {}

/** Statuses are Intel's names. */
export interface Tcb {
	/** Of platform, TDX module and QE together. */
	status: string;
	qe_status: string;
	advisories: string[];
	/** tcbDate of the platform's level. */
	date: string;
}

type Level = Pick<Tcb, 'status' | 'advisories'>;
interface Entry {
	tcb: JsonObject;
	status: string;
	advisories: string[];
	date: string;
}

const MODULE_STATUSES = ['UpToDate', 'OutOfDate', 'Revoked'];
const QE_STATUSES = [...MODULE_STATUSES, 'ConfigurationNeeded', 'OutOfDateConfigurationNeeded'];
const PLATFORM_STATUSES = [...QE_STATUSES, 'SWHardeningNeeded', 'ConfigurationAndSWHardeningNeeded'];
const NEEDING_CONFIGURATION = [
	'ConfigurationNeeded',
	'ConfigurationAndSWHardeningNeeded',
	'OutOfDateConfigurationNeeded'
];
const SGX_DEBUG = 0x02;

const PLATFORM = clause('the platform');
const QE = clause('the quoting enclave');

// --- documents --------------------------------------------------------------------------------------------------------
function malformed(name: string): CollateralError {
	return new CollateralError("the collateral's {{name}} is malformed", { name });
}

function object(value: Json | undefined, name: string): JsonObject {
	if (!isObject(value)) throw malformed(name);
	return value;
}

function list(value: Json | undefined, name: string): JsonObject[] {
	if (!Array.isArray(value) || !value.every(isObject)) throw malformed(name);
	return value as JsonObject[];
}

function number(value: Json | undefined, name: string): number {
	if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw malformed(name);
	return value;
}

function bytes(value: Json | undefined, name: string, size: number): Uint8Array {
	try {
		const read = fromHex(String(value).toLowerCase());
		if (read.length === size) return read;
	} catch {
		// the same fault as a wrong size
	}
	throw malformed(name);
}

function entries(owner: JsonObject): Entry[] {
	return list(owner['tcbLevels'], 'tcbLevels').map((level) => {
		const { tcbStatus, tcbDate, advisoryIDs = [] } = level;
		if (!Array.isArray(advisoryIDs)) throw malformed('advisoryIDs');
		return {
			tcb: object(level['tcb'], 'tcb'),
			status: String(tcbStatus).slice(0, 64),
			advisories: advisoryIDs.map(String),
			date: String(tcbDate).slice(0, 10)
		};
	});
}

/** Throws where a level that was reached has a status which Intel does not give there. */
function requireStatus(level: Entry, known: string[]): Entry {
	const { status } = level;
	if (known.includes(status)) return level;
	throw new CollateralError('the collateral has a TCB level of the unknown status {{status}}', { status });
}

// --- converging -------------------------------------------------------------------------------------------------------
/** Only a component that is out of date or revoked makes the whole worse. */
function withComponent(whole: Level, part: Level): Level {
	const advisories = [...new Set([...whole.advisories, ...part.advisories])];
	const { status } = whole;
	if (part.status === 'Revoked' || status === 'Revoked') return { status: 'Revoked', advisories };
	if (part.status !== 'OutOfDate') return { status, advisories };
	const needing = NEEDING_CONFIGURATION.includes(status);
	return { status: needing ? 'OutOfDateConfigurationNeeded' : 'OutOfDate', advisories };
}

/** A TD 1.5 that was launched on an old module, which has been updated under it since, is to be launched anew. */
function afterRelaunch(launch: string, current: string): string {
	if (!launch.startsWith('OutOfDate') || current.startsWith('OutOfDate')) return launch;
	const needing = [launch, current].some((status) => NEEDING_CONFIGURATION.includes(status));
	return needing ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised';
}

/** The first level whose SVN `actual` reaches. */
function byIsvSvn(owner: JsonObject, statuses: string[], actual: number, what: Clause): Entry {
	const levels = entries(owner);
	const reached = levels.find(({ tcb }) => actual >= number(tcb['isvsvn'], 'isvsvn'));
	if (reached) return requireStatus(reached, statuses);
	const lowest = levels.at(-1);
	if (!lowest) throw new CollateralError('the collateral lists no TCB level of {{what}}', { what });
	throw new BelowLevels(
		'{{what}} is below every TCB level that Intel lists: its SVN is {{actual}}, the lowest {{least}}',
		{ what, actual, least: number(lowest.tcb['isvsvn'], 'isvsvn') }
	);
}

// --- quoting enclave --------------------------------------------------------------------------------------------------
const masked = (value: Uint8Array, mask: Uint8Array): string => toHex(value.map((byte, i) => byte & mask[i]!));

function qeField(quote: ParsedQuote, name: keyof typeof QE_REPORT_FIELDS): Uint8Array {
	const [offset, size] = QE_REPORT_FIELDS[name];
	return fromHex(quote.qe_report).subarray(offset, offset + size);
}

/** Throws where the quoting enclave is not the one of the QE identity, or not in production mode. */
function requireQe(quote: ParsedQuote, identity: JsonObject): void {
	const pairs = [
		['miscselect', 'misc_select'],
		['attributes', 'attributes']
	] as const;
	for (const [field, own] of pairs) {
		const actual = qeField(quote, own);
		const mask = bytes(identity[`${field}Mask`], field, actual.length);
		if (masked(actual, mask) !== masked(bytes(identity[field], field, actual.length), mask))
			throw new CollateralError("the quoting enclave's {{field}} is not the QE identity's", { field });
	}
	if (qeField(quote, 'attributes')[0]! & SGX_DEBUG) throw new CollateralError('the quoting enclave is under debug');
	if (toHex(qeField(quote, 'mr_signer')) !== toHex(bytes(identity['mrsigner'], 'mrsigner', 32)))
		throw new CollateralError("the quoting enclave's {{field}} is not the QE identity's", { field: 'mrsigner' });
	const [low, high] = qeField(quote, 'isv_prod_id') as unknown as [number, number];
	if ((low | (high << 8)) !== number(identity['isvprodid'], 'isvprodid'))
		throw new CollateralError("the quoting enclave's {{field}} is not the QE identity's", { field: 'isvprodid' });
}

// --- TDX module -------------------------------------------------------------------------------------------------------
/** The identity of the module version that the second SVN names; the first version has none of its own. */
function moduleOf(tcbInfo: JsonObject, svn: Uint8Array): JsonObject | null {
	if (svn[1] === 0) return null;
	const id = `TDX_${toHex(svn.subarray(1, 2)).toUpperCase()}`;
	const known = list(tcbInfo['tdxModuleIdentities'] ?? [], 'tdxModuleIdentities');
	const identity = known.find((one) => String(one['id']).toUpperCase() === id);
	if (!identity) throw new CollateralError('the TCB info does not know the TDX module {{id}}', { id });
	return identity;
}

/** Throws where the TDX module is not signed by whom the TCB info says, or has other attributes. */
function requireModule(quote: ParsedQuote, tcbInfo: JsonObject): void {
	const expected =
		moduleOf(tcbInfo, fromHex(quote.tee_tcb_svn)) ?? object(tcbInfo['tdxModule'], 'tdxModule');
	if (quote.mr_signer_seam !== toHex(bytes(expected['mrsigner'], 'mrsigner', 48)))
		throw new CollateralError("the TDX module's {{field}} is not the one in the TCB info", { field: 'mrsigner' });
	const mask = bytes(expected['attributesMask'], 'attributesMask', 8);
	if (quote.seam_attributes !== masked(bytes(expected['attributes'], 'attributes', 8), mask))
		throw new CollateralError("the TDX module's {{field}} is not the one in the TCB info", { field: 'attributes' });
}

function moduleLevel(tcbInfo: JsonObject, svn: Uint8Array): Level | null {
	const identity = moduleOf(tcbInfo, svn);
	const id = String(identity?.['id']);
	return identity && byIsvSvn(identity, MODULE_STATUSES, svn[0]!, clause('the TDX module {{id}}', { id }));
}

// --- platform ---------------------------------------------------------------------------------------------------------
const components = (tcb: JsonObject, name: string): number[] =>
	list(tcb[name], name).map((one) => number(one['svn'], 'svn'));

/** What the platform lacks for a level, the first of it; null where it reaches the level. */
function lacking(tcb: JsonObject, pck: PckExtension, svn: Uint8Array): Clause | null {
	const least = number(tcb['pcesvn'], 'pcesvn');
	const lack = (what: string, needed: number, actual: number) =>
		clause('{{what}} {{least}}, it has {{actual}}', { what, least: needed, actual });
	if (pck.pce_svn < least) return lack('PCESVN', least, pck.pce_svn);
	// a module with an identity of its own is judged by that: its two components are not asked here
	const parts: [string, string, Uint8Array, number][] = [
		['CPUSVN', 'sgxtcbcomponents', pck.cpu_svn, 0],
		['TEE_TCB_SVN', 'tdxtcbcomponents', svn, svn[1]! > 0 ? 2 : 0]
	];
	for (const [what, name, actual, first] of parts) {
		const needed = components(tcb, name);
		if (needed.length !== actual.length) throw malformed(name);
		const index = needed.findIndex((one, i) => i >= first && actual[i]! < one);
		if (index >= 0) return lack(`${what}[${index}]`, needed[index]!, actual[index]!);
	}
	return null;
}

function platformLevel(tcbInfo: JsonObject, pck: PckExtension, svn: Uint8Array): Level & { date: string } {
	const levels = entries(tcbInfo);
	const reached = levels.find(({ tcb }) => lacking(tcb, pck, svn) === null);
	if (reached) {
		requireStatus(reached, PLATFORM_STATUSES);
		const module = moduleLevel(tcbInfo, svn);
		return { ...(module ? withComponent(reached, module) : reached), date: reached.date };
	}
	const lowest = levels.at(-1);
	if (!lowest) throw new CollateralError('the collateral lists no TCB level of {{what}}', { what: PLATFORM });
	throw new BelowLevels(
		'the platform is below every TCB level that Intel lists: the lowest, of {{date}}, asks for {{lacking}}',
		{ date: lowest.date, lacking: lacking(lowest.tcb, pck, svn)! }
	);
}

// --- all together -----------------------------------------------------------------------------------------------------
/**
 * The TCB of platform, TDX module (at launch and, in a TD 1.5, now) and QE, converged as Intel does. Throws
 * CollateralError where QE or module are not those that the documents describe, or the documents are another
 * platform's; BelowLevels where one of them is below every level.
 */
export function judgeTcb(quote: ParsedQuote, { tcbInfo, qeIdentity }: Collateral, pck: PckExtension): Tcb {
	if (tcbInfo['id'] !== 'TDX' || qeIdentity['id'] !== 'TD_QE' || number(tcbInfo['version'], 'version') < 3)
		throw new CollateralError('the collateral is not for TDX');
	if (String(tcbInfo['fmspc']).toLowerCase() !== pck.fmspc) throw new CollateralError('the collateral is of another platform model');
	const svns = [quote.tee_tcb_svn, quote.tee_tcb_svn2].filter((svn) => svn !== undefined).map(fromHex);
	requireQe(quote, qeIdentity);
	requireModule(quote, tcbInfo);
	for (const svn of svns) moduleOf(tcbInfo, svn);
	const qe = byIsvSvn(qeIdentity, QE_STATUSES, quote.qe_isv_svn, QE);
	const levels = svns.map((svn) => platformLevel(tcbInfo, pck, svn));
	const merged = levels.map((level) => withComponent(level, qe));
	const statuses = merged.map(({ status }) => status);
	return {
		status: statuses.includes('Revoked') ? 'Revoked' : afterRelaunch(statuses[0]!, statuses.at(-1)!),
		qe_status: qe.status,
		advisories: merged[0]!.advisories,
		date: levels[0]!.date
	};
}
