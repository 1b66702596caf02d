/**
 * Is the quote genuine? dcap-qvl checks attestation key, QE report, PCK chain, revocation and collateral; what it does
 * not check is checked here: that every certificate acts only in its own role, and all dates once more.
 */

import { Buffer, QuoteVerifier, type VerifiedReport } from '#dcap';
import { p256 } from '@noble/curves/nist.js';
import {
	CertificateError,
	parseChain,
	requireChain,
	requireDates,
	requireRole,
	parseCertificate,
	toPem,
	type ParsedCertificate
} from './certificates.js';
import {
	ageOf,
	CollateralError,
	newest,
	numbers,
	parseCollateral,
	requireInDate,
	requireCurrentCrls,
	requireIssuers,
	requireSameChain,
	rolledBack,
	type Collateral,
	type SeenByRoot
} from './collateral.js';
import { sha256 } from './hash.js';
import { equalBytes, fromHex, toHex } from '../shared/bytes.js';
import { parsePck, type PckExtension } from './pck.js';
import type { ParsedQuote, TdReport } from './quote.js';
import { clause, type Clause } from '../shared/sentence.js';
import { clauseOf, reasonOf } from './reason.js';
import { INTEL, ROOTS, SIMULATOR, type Root } from './roots.js';
import { BelowLevels, judgeTcb, type Tcb } from './tcb-levels.js';
import type { Outcome } from './outcome.js';

/** What a valid signature establishes. */
export interface Genuine {
	root: Root;
	collateral: Collateral;
	chain: ParsedCertificate[];
	pck: PckExtension;
	/** TCB of platform, TDX module and QE together; what it lacks, where it is below every level. */
	tcb: Tcb | Clause;
	/** What dcap-qvl has against the TD's attributes; empty where there is nothing. */
	refusal: string;
	seen: SeenByRoot;
}

export interface SignatureResult {
	outcome: Outcome;
	genuine: Genuine | null;
}

const PCK_CHAIN = clause('PCK chain');
/**
 * Some of dcap-qvl's errors say "not acceptable", not "forged", and come after chains, documents and the QE's report
 * have been verified: then only our own judgement is asked. Debugging and service TDs are not among them: dcap-qvl is
 * told to allow them, since it uses the same words for a debuggable QE, whose quotes anybody could have made.
 */
const ATTRIBUTE_REFUSALS = [
	'Reserved bits in TD attributes are set',
	'TD migration is enabled',
	'SERVTD_EXT is enabled',
	'SEPT_VE_DISABLE is not enabled'
];
const TCB_REFUSALS = [
	/^TCB status is invalid: Revoked$/,
	/^No matching TCB level found$/,
	/^TDX module ISVSVN \d+ is below minimum required from TDX module TCB levels$/,
	/^Failed to evaluate the current TDX TCB \(TEE_TCB_SVN2\)$/,
	/^QE ISVSVN \d+ is below minimum required \d+ from QE Identity$/
];

/** dcap-qvl's error and its cause as one clause. */
function reason(error: unknown): Clause {
	const { cause } = error as Error;
	const what = clauseOf(error);
	return cause instanceof Error ? clause('{{what}} ({{cause}})', { what, cause: reason(cause) }) : what;
}

/** Every chain re-encoded, so that dcap-qvl sees the same certificates as the checks here. */
function forDcap({ document, chains }: Collateral, chain: ParsedCertificate[]): Record<string, string> {
	return {
		...document,
		pck_crl_issuer_chain: toPem(chains.pckCrl),
		tcb_info_issuer_chain: toPem(chains.tcbInfo),
		qe_identity_issuer_chain: toPem(chains.qeIdentity),
		pck_certificate_chain: toPem(chain)
	};
}

/** dcap-qvl's names of the TD report's fields, where they are not ours in camel case. */
const DCAP_NAMES: Record<string, keyof TdReport> = {
	mrSignerSeam: 'mr_signer_seam',
	rtMr0: 'rtmr_0',
	rtMr1: 'rtmr_1',
	rtMr2: 'rtmr_2',
	rtMr3: 'rtmr_3',
	mrServiceTd: 'mr_service_td',
	teeTcbSvn2: 'tee_tcb_svn2'
};

/** Throws where dcap-qvl read another TD report than `quote`: what was judged must be what is shown and compared. */
function requireSameReading(quote: ParsedQuote, report: VerifiedReport['report']): void {
	const { base, ...further } = report.asTd15() ?? { base: null };
	const fields = Object.entries({ ...report.asTd10(), ...further }) as [string, Uint8Array][];
	const expected = quote.body === 'td-1.5' ? 17 : 15;
	const name = (dcap: string) => DCAP_NAMES[dcap] ?? dcap.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
	const same = fields.every(([dcap, value]) => quote[name(dcap) as keyof TdReport] === toHex(value));
	if (fields.length !== expected || !same) throw new CollateralError('two parsers read the quote differently');
}

/** dcap-qvl's answer under `root`, or as text what it refuses; throws where anything is forged, revoked or out of date. */
function ask(
	quote: ParsedQuote,
	collateral: Collateral,
	chain: ParsedCertificate[],
	root: Root,
	now: Date
): VerifiedReport | string {
	const verifier = QuoteVerifier.newWithRootCa(Buffer.from(root.der)).allowDebug(true).allowServiceTd(true);
	const seconds = Math.floor(now.getTime() / 1000);
	try {
		return verifier.verify(Buffer.from(fromHex(quote.hex)), forDcap(collateral, chain), seconds);
	} catch (error) {
		const { message } = error as Error;
		if (ATTRIBUTE_REFUSALS.includes(message) || TCB_REFUSALS.some((one) => one.test(message))) return message;
		throw error;
	}
}

/** Did the attestation key sign header and body? dcap-qvl stops at a QE below all levels before it looks. */
function requireSignature(quote: ParsedQuote): void {
	const signed = fromHex(quote.hex).subarray(0, quote.signed_size);
	const key = fromHex(`04${quote.attestation_key}`);
	let valid = false;
	try {
		valid = p256.verify(fromHex(quote.signature), signed, key, { format: 'compact', lowS: false, prehash: true });
	} catch {
		// no point of the curve, or no signature
	}
	if (!valid) throw new CollateralError("the quote's signature is wrong");
}

/** The TCB, where both judgements agree or dcap-qvl gave none. */
function judge(quote: ParsedQuote, collateral: Collateral, pck: PckExtension, answer: VerifiedReport | string): Genuine['tcb'] {
	if (typeof answer === 'string') requireSignature(quote);
	else requireSameReading(quote, answer.report);
	let tcb: Tcb | Clause;
	try {
		tcb = judgeTcb(quote, collateral, pck);
	} catch (error) {
		if (!(error instanceof BelowLevels)) throw error;
		tcb = error.clause;
	}
	if (typeof answer === 'string') return tcb;
	const { status, advisory_ids } = answer;
	if (!('status' in tcb) || tcb.status !== status || tcb.advisories.join() !== advisory_ids.join())
		throw new CollateralError('dcap-qvl and this verifier judge its TCB differently: {{theirs}} and {{ours}}', {
			theirs: status,
			ours: 'status' in tcb ? tcb.status : tcb
		});
	return tcb;
}

function requirePlatform(quote: ParsedQuote, chain: ParsedCertificate[], root: Root, now: Date): void {
	// dcap-qvl hashes the first 32 bytes only
	if (quote.qe_auth_size !== 32)
		throw new CollateralError('its QE authentication data has {{size}} bytes, not 32', { size: quote.qe_auth_size });
	requireChain(chain, ['PCK', 'PCK CA'], root.der, PCK_CHAIN);
	for (const certificate of chain) requireDates(certificate, now, PCK_CHAIN);
	const anchor = parseCertificate(root.der);
	requireRole(anchor, 'root', clause('the root'));
	requireDates(anchor, now, clause('root'));
}

/** TCB info is for one provisioning enclave; dcap-qvl compares its FMSPC but not its PCE id. */
function requirePce({ tcbInfo }: Collateral, pck: PckExtension): void {
	const actual = tcbInfo['pceId'];
	if (typeof actual !== 'string' || actual.toLowerCase() !== pck.pce_id)
		throw new CollateralError("the TCB info is for PCE id {{actual}}, the platform's is {{expected}}", {
			actual: String(actual).slice(0, 16),
			expected: pck.pce_id
		});
}

function readPck(certificate: Uint8Array): PckExtension {
	try {
		return parsePck(certificate);
	} catch (error) {
		throw new CertificateError('a certificate cannot be read ({{cause}})', { cause: reasonOf(error) });
	}
}

/** No sentence about a simulated quote may read as if it were Intel's. */
const signedBy = (root: Root, age: ReturnType<typeof ageOf>): Outcome =>
	root.kind === 'intel'
		? { status: 'pass', key: 'tee.check.quote.signature.pass', params: { root: root.name, ...age } }
		: {
				status: 'pass',
				key: 'tee.check.quote.signature.simulated',
				params: { fingerprint: toHex(sha256(root.der)), ...age }
			};

function underRoot(
	quote: ParsedQuote,
	collateral: Collateral,
	root: Root,
	now: Date,
	seen: SeenByRoot
): SignatureResult {
	const chain = parseChain(quote.pck_chain, PCK_CHAIN);
	requirePlatform(quote, chain, root, now);
	requireSameChain(collateral, chain);
	requireInDate(collateral, now);
	requireIssuers(collateral, root, now);
	const pck = readPck(chain[0]!.der);
	const answer = ask(quote, collateral, chain, root, now);
	requirePce(collateral, pck);
	requireCurrentCrls(collateral, now);
	const tcb = judge(quote, collateral, pck, answer);
	const current = numbers(collateral);
	const older = rolledBack(current, seen[root.kind]);
	if (older)
		return { outcome: { status: 'fail', key: 'tee.check.quote.signature.rollback', params: older }, genuine: null };
	return {
		outcome: signedBy(root, ageOf(collateral, now)),
		genuine: {
			root,
			collateral,
			chain,
			pck,
			tcb,
			refusal: typeof answer === 'string' && ATTRIBUTE_REFUSALS.includes(answer) ? answer : '',
			seen: { ...seen, [root.kind]: newest(current, seen[root.kind]) }
		}
	};
}

/** The root that a quote claims: decides only whose refusal is worth telling. */
function claimedRoot(quote: ParsedQuote): Root {
	try {
		const last = parseChain(quote.pck_chain, PCK_CHAIN).at(-1)!;
		return equalBytes(last.der, SIMULATOR.der) ? SIMULATOR : INTEL;
	} catch {
		return INTEL;
	}
}

/**
 * Judge the quote under Intel's root, else under the simulator's. Establishes that the TD report was signed by a
 * quoting enclave that the root vouches for, on a platform that was not revoked, as of `now`; not that it is up to date.
 */
export function checkSignature(
	quote: ParsedQuote,
	collateralValue: unknown,
	now: Date,
	seen: SeenByRoot
): SignatureResult {
	if (collateralValue === undefined || collateralValue === null)
		return { outcome: { status: 'fail', key: 'tee.check.quote.signature.nocollateral' }, genuine: null };
	let collateral: Collateral;
	try {
		collateral = parseCollateral(collateralValue);
	} catch (error) {
		return {
			outcome: { status: 'fail', key: 'tee.check.quote.signature.collateral', params: { reason: reason(error) } },
			genuine: null
		};
	}
	const refusals = new Map<Root, Clause>();
	for (const root of ROOTS) {
		try {
			return underRoot(quote, collateral, root, now, seen);
		} catch (error) {
			refusals.set(root, reason(error));
		}
	}
	const params = { reason: refusals.get(claimedRoot(quote))! };
	return { outcome: { status: 'fail', key: 'tee.check.quote.signature.invalid', params }, genuine: null };
}
