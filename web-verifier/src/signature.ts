/**
 * Is the quote genuine? dcap-qvl checks attestation key, QE report, PCK chain, revocation and collateral; what it does
 * not check is checked here: that every certificate acts only in its own role, and all dates once more.
 */

import { QuoteVerifier } from '#dcap';
import { Buffer } from 'buffer';
import { parseChain, requireChain, requireDates, requireRole, parseCertificate, type ParsedCertificate } from './certificates.js';
import { CollateralError, numbers, parseCollateral, requireInDate, requireIssuers, rolledBack, type Collateral, type Seen } from './collateral.js';
import { equalBytes } from './bytes.js';
import type { ParsedQuote } from './quote.js';
import { INTEL, ROOTS, SIMULATOR, type Root } from './roots.js';
import type { Outcome } from './verdict.js';

/** What a valid signature establishes. */
export interface Genuine {
	root: Root;
	collateral: Collateral;
	chain: ParsedCertificate[];
	/** TCB status of platform, TDX module and QE together, as dcap-qvl converges them. */
	status: string;
	advisories: string[];
	seen: Seen;
}

export interface SignatureResult {
	outcome: Outcome;
	genuine: Genuine | null;
}

const REVOKED = /^TCB status is invalid: (\w+)$/;

/** dcap-qvl's error and its cause as one clause. */
function reason(error: unknown): string {
	const { message, cause } = error as Error;
	const inner = cause instanceof Error ? ` (${reason(cause)})` : '';
	return (message ?? String(error)).replace(/\.$/, '') + inner;
}

/** TCB status and advisories under `root`; throws where anything is not signed, revoked or out of date. */
function judge(bytes: Uint8Array, collateral: Collateral, root: Root, now: Date): { status: string; advisories: string[] } {
	// debug is a check of its own (quote.debug): a debuggable TD's quote is genuine all the same
	const verifier = QuoteVerifier.newWithRootCa(Buffer.from(root.der)).allowDebug(true);
	try {
		const report = verifier.verify(Buffer.from(bytes), { ...collateral.document }, Math.floor(now.getTime() / 1000));
		return { status: report.status, advisories: report.advisory_ids };
	} catch (error) {
		// every signature was checked before this: genuine, and the TCB check refuses it
		const revoked = REVOKED.exec((error as Error).message);
		if (revoked) return { status: revoked[1]!, advisories: [] };
		throw error;
	}
}

function requirePlatform(quote: ParsedQuote, chain: ParsedCertificate[], root: Root, now: Date): void {
	// dcap-qvl hashes the first 32 bytes only
	if (quote.qe_auth_size !== 32) throw new CollateralError(`its QE authentication data has ${quote.qe_auth_size} bytes, not 32`);
	requireChain(chain, ['PCK', 'PCK CA'], root.der, 'PCK chain');
	for (const certificate of chain) requireDates(certificate, now, 'PCK chain');
	const anchor = parseCertificate(root.der);
	requireRole(anchor, 'root', 'the root');
	requireDates(anchor, now, 'root');
}

function underRoot(quote: ParsedQuote, bytes: Uint8Array, collateral: Collateral, root: Root, now: Date, seen: Seen): SignatureResult {
	const chain = parseChain(quote.pck_chain, 'PCK chain');
	requirePlatform(quote, chain, root, now);
	requireInDate(collateral, now);
	requireIssuers(collateral, root, now);
	const { status, advisories } = judge(bytes, collateral, root, now);
	const current = numbers(collateral, root);
	const older = rolledBack(current, seen);
	if (older) return { outcome: { status: 'fail', key: 'tee.check.quote.signature.rollback', params: older }, genuine: null };
	return {
		outcome: { status: 'pass', key: 'tee.check.quote.signature.pass', params: { root: root.name } },
		genuine: { root, collateral, chain, status, advisories, seen: { ...seen, ...current } }
	};
}

/** The root that a quote claims: decides only whose refusal is worth telling. */
function claimedRoot(quote: ParsedQuote): Root {
	try {
		const last = parseChain(quote.pck_chain, 'PCK chain').at(-1)!;
		return equalBytes(last.der, SIMULATOR.der) ? SIMULATOR : INTEL;
	} catch {
		return INTEL;
	}
}

/**
 * Judge the quote under Intel's root, else under the simulator's. Establishes that the TD report was signed by a
 * quoting enclave that the root vouches for, on a platform that was not revoked, as of `now`; not that it is up to date.
 */
export function checkSignature(quote: ParsedQuote, bytes: Uint8Array, collateralValue: unknown, now: Date, seen: Seen): SignatureResult {
	if (collateralValue === undefined || collateralValue === null)
		return { outcome: { status: 'fail', key: 'tee.check.quote.signature.nocollateral' }, genuine: null };
	let collateral: Collateral;
	try {
		collateral = parseCollateral(collateralValue);
	} catch (error) {
		return { outcome: { status: 'fail', key: 'tee.check.quote.signature.collateral', params: { reason: reason(error) } }, genuine: null };
	}
	const refusals = new Map<Root, string>();
	for (const root of ROOTS) {
		try {
			return underRoot(quote, bytes, collateral, root, now, seen);
		} catch (error) {
			refusals.set(root, reason(error));
		}
	}
	const params = { reason: refusals.get(claimedRoot(quote))! };
	return { outcome: { status: 'fail', key: 'tee.check.quote.signature.invalid', params }, genuine: null };
}
