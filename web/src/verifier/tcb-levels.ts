/**
 * Which TCB levels do platform, TDX module and quoting enclave reach? dcap-qvl judges this as well, but gives no answer
 * where one of them is below every level that Intel lists; such a quote is genuine all the same. `signature.ts` asks
 * both, and believes neither alone where both answer. Call only with documents of Intel's shape (`intel-documents.ts`)
 * whose signatures dcap-qvl has checked.
 * (Intel PCS API version 4, "Get TDX TCB Info", "Enclave Identity Information"; the rules are those of Intel's quote
 * verification library.)
 */

import { fromHex, toHex } from '../shared/bytes.js';
import { clause, Reason, type Clause } from '../shared/sentence.js';
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

// --- what `intel-documents.ts` has found the documents to be ----------------------------------------------------------
interface Entry<T> {
	tcb: T;
	tcbStatus: string;
	tcbDate: string;
	advisoryIDs?: string[];
}
type SvnEntry = Entry<{ isvsvn: number }>;
type Components = { svn: number }[];
interface PlatformTcb {
	pcesvn: number;
	sgxtcbcomponents: Components;
	tdxtcbcomponents: Components;
}
/** Hexadecimal, in either case. */
interface Module {
	mrsigner: string;
	attributes: string;
	attributesMask: string;
}
interface TcbInfo {
	fmspc: string;
	tdxModule: Module;
	tdxModuleIdentities?: (Module & { id: string; tcbLevels: SvnEntry[] })[];
	tcbLevels: Entry<PlatformTcb>[];
}
interface QeIdentity extends Module {
	miscselect: string;
	miscselectMask: string;
	isvprodid: number;
	tcbLevels: SvnEntry[];
}

type Level = Pick<Tcb, 'status' | 'advisories'>;
const levelOf = ({ tcbStatus, advisoryIDs = [] }: Entry<unknown>): Level => ({
	status: tcbStatus,
	advisories: advisoryIDs
});
const hex = (text: string): Uint8Array => fromHex(text.toLowerCase());

const NEEDING_CONFIGURATION = [
	'ConfigurationNeeded',
	'ConfigurationAndSWHardeningNeeded',
	'OutOfDateConfigurationNeeded'
];
const SGX_DEBUG = 0x02;

// --- converging -------------------------------------------------------------------------------------------------------
/** Only a component that is out of date or revoked makes the whole worse. */
function withComponent(whole: Level, part: Level): Level {
	const added = part.advisories.filter((one, i, all) => !whole.advisories.includes(one) && all.indexOf(one) === i);
	const advisories = [...whole.advisories, ...added];
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

/** The first level whose SVN `actual` reaches; they are listed from the highest to the lowest. */
function byIsvSvn(levels: SvnEntry[], actual: number, what: Clause): Level {
	const reached = levels.find(({ tcb }) => actual >= tcb.isvsvn);
	if (reached) return levelOf(reached);
	throw new BelowLevels(
		'{{what}} is below every TCB level that Intel lists: its SVN is {{actual}}, the lowest {{least}}',
		{ what, actual, least: levels.at(-1)!.tcb.isvsvn }
	);
}

// --- quoting enclave --------------------------------------------------------------------------------------------------
const masked = (value: Uint8Array, mask: Uint8Array): string => toHex(value.map((byte, i) => byte & mask[i]!));

function qeField(quote: ParsedQuote, name: keyof typeof QE_REPORT_FIELDS): Uint8Array {
	const [offset, size] = QE_REPORT_FIELDS[name];
	return fromHex(quote.qe_report).subarray(offset, offset + size);
}

/** Throws where the quoting enclave is not the one of the QE identity, or not in production mode. */
function requireQe(quote: ParsedQuote, identity: QeIdentity): void {
	const refuse = (field: string) =>
		new CollateralError("the quoting enclave's {{field}} is not the QE identity's", { field });
	const same = (actual: Uint8Array, expected: string, mask: string) =>
		masked(actual, hex(mask)) === masked(hex(expected), hex(mask));
	if (!same(qeField(quote, 'misc_select'), identity.miscselect, identity.miscselectMask)) throw refuse('miscselect');
	if (!same(qeField(quote, 'attributes'), identity.attributes, identity.attributesMask)) throw refuse('attributes');
	if (qeField(quote, 'attributes')[0]! & SGX_DEBUG) throw new CollateralError('the quoting enclave is under debug');
	if (toHex(qeField(quote, 'mr_signer')) !== identity.mrsigner.toLowerCase()) throw refuse('mrsigner');
	const [low, high] = qeField(quote, 'isv_prod_id') as unknown as [number, number];
	if ((low | (high << 8)) !== identity.isvprodid) throw refuse('isvprodid');
}

// --- TDX module -------------------------------------------------------------------------------------------------------
/** The identity of the module version that the second SVN names; the first version has none of its own. */
function moduleOf({ tdxModuleIdentities = [] }: TcbInfo, svn: Uint8Array) {
	if (svn[1] === 0) return null;
	const id = `TDX_${toHex(svn.subarray(1, 2)).toUpperCase()}`;
	const identity = tdxModuleIdentities.find((one) => one.id === id);
	if (!identity) throw new CollateralError('the TCB info does not know the TDX module {{id}}', { id });
	return identity;
}

/** Throws where the TDX module is not signed by whom the TCB info says, or has other attributes. */
function requireModule(quote: ParsedQuote, tcbInfo: TcbInfo): void {
	const expected = moduleOf(tcbInfo, fromHex(quote.tee_tcb_svn)) ?? tcbInfo.tdxModule;
	const refuse = (field: string) =>
		new CollateralError("the TDX module's {{field}} is not the one in the TCB info", { field });
	if (quote.mr_signer_seam !== expected.mrsigner.toLowerCase()) throw refuse('mrsigner');
	if (quote.seam_attributes !== masked(hex(expected.attributes), hex(expected.attributesMask)))
		throw refuse('attributes');
}

function moduleLevel(tcbInfo: TcbInfo, svn: Uint8Array): Level | null {
	const identity = moduleOf(tcbInfo, svn);
	return identity && byIsvSvn(identity.tcbLevels, svn[0]!, clause('the TDX module {{id}}', { id: identity.id }));
}

// --- platform ---------------------------------------------------------------------------------------------------------
/** What the platform lacks for a level, the first of it; null where it reaches the level. */
function lacking(tcb: PlatformTcb, pck: PckExtension, svn: Uint8Array): Clause | null {
	const lack = (what: string, least: number, actual: number) =>
		clause('{{what}} {{least}}, it has {{actual}}', { what, least, actual });
	if (pck.pce_svn < tcb.pcesvn) return lack('PCESVN', tcb.pcesvn, pck.pce_svn);
	// a module with an identity of its own is judged by that: its two components are not asked here
	const parts: [string, Components, Uint8Array, number][] = [
		['CPUSVN', tcb.sgxtcbcomponents, pck.cpu_svn, 0],
		['TEE_TCB_SVN', tcb.tdxtcbcomponents, svn, svn[1]! > 0 ? 2 : 0]
	];
	for (const [what, least, actual, first] of parts) {
		const index = least.findIndex((one, i) => i >= first && actual[i]! < one.svn);
		if (index >= 0) return lack(`${what}[${index}]`, least[index]!.svn, actual[index]!);
	}
	return null;
}

const day = ({ tcbDate }: Entry<unknown>): string => tcbDate.slice(0, 10);

function platformLevel(tcbInfo: TcbInfo, pck: PckExtension, svn: Uint8Array): Level & { date: string } {
	const reached = tcbInfo.tcbLevels.find(({ tcb }) => lacking(tcb, pck, svn) === null);
	if (reached) {
		const module = moduleLevel(tcbInfo, svn);
		const level = levelOf(reached);
		return { ...(module ? withComponent(level, module) : level), date: day(reached) };
	}
	const lowest = tcbInfo.tcbLevels.at(-1)!;
	throw new BelowLevels(
		'the platform is below every TCB level that Intel lists: the lowest, of {{date}}, asks for {{lacking}}',
		{ date: day(lowest), lacking: lacking(lowest.tcb, pck, svn)! }
	);
}

type Documents = Pick<Collateral, 'tcbInfo' | 'qeIdentity'>;

// --- all together -----------------------------------------------------------------------------------------------------
/**
 * The TCB of platform, TDX module (at launch and, in a TD 1.5, now) and QE, converged as Intel does. Throws
 * CollateralError where QE or module are not those that the documents describe, or the documents are another
 * platform's; BelowLevels where one of them is below every level.
 */
export function judgeTcb(quote: ParsedQuote, collateral: Documents, pck: PckExtension): Tcb {
	const tcbInfo = collateral.tcbInfo as unknown as TcbInfo;
	const identity = collateral.qeIdentity as unknown as QeIdentity;
	if (tcbInfo.fmspc.toLowerCase() !== pck.fmspc)
		throw new CollateralError('the collateral is of another platform model');
	const svns = [quote.tee_tcb_svn, quote.tee_tcb_svn2].filter((svn) => svn !== undefined).map(fromHex);
	requireQe(quote, identity);
	requireModule(quote, tcbInfo);
	for (const svn of svns) moduleOf(tcbInfo, svn);
	const qe = byIsvSvn(identity.tcbLevels, quote.qe_isv_svn, clause('the quoting enclave'));
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
