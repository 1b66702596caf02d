/**
 * Intel's collateral for a platform (Intel PCS API version 4): who signed it, when it is due, and that it is never
 * older than what was seen before. Its signatures are checked in `signature.ts`.
 */

import { fromHex, isHex } from './bytes.js';
import { crlNumber, parseChain, requireChain, requireDates, type ParsedCertificate } from './certificates.js';
import type { Root } from './roots.js';
import { isObject, parseObject, type JsonObject } from './strict-json.js';
import { parseTime } from './time.js';

export class CollateralError extends Error {}

export const COLLATERAL_FIELDS = [
	'pck_crl_issuer_chain', 'root_ca_crl', 'pck_crl', 'tcb_info_issuer_chain', 'tcb_info', 'tcb_info_signature',
	'qe_identity_issuer_chain', 'qe_identity', 'qe_identity_signature'
] as const;
export type CollateralDocument = Record<(typeof COLLATERAL_FIELDS)[number], string>;

/** Numbers of the newest collateral seen, by what they number. Callers keep it and hand it back the next time. */
export type Seen = Record<string, string>;

export interface Collateral {
	document: CollateralDocument;
	tcbInfo: JsonObject;
	qeIdentity: JsonObject;
	chains: { pckCrl: ParsedCertificate[]; tcbInfo: ParsedCertificate[]; qeIdentity: ParsedCertificate[] };
}

const SIZES: Record<string, number> = { tcb_info_signature: 64, qe_identity_signature: 64 };

/** Read the collateral object; throws CollateralError where a field is missing or of the wrong kind. */
export function parseCollateral(value: unknown): Collateral {
	if (!isObject(value)) throw new CollateralError('it is not an object');
	const document = {} as CollateralDocument;
	for (const name of COLLATERAL_FIELDS) {
		const text = value[name];
		if (typeof text !== 'string' || text === '') throw new CollateralError(`its ${name} is missing`);
		const hex = name.endsWith('_crl') || name.endsWith('_signature');
		if (hex && !isHex(text.toLowerCase(), SIZES[name])) throw new CollateralError(`its ${name} is not hexadecimal of the right size`);
		document[name] = text;
	}
	try {
		return {
			document,
			tcbInfo: parseObject(document.tcb_info, 'tcb_info'),
			qeIdentity: parseObject(document.qe_identity, 'qe_identity'),
			chains: {
				pckCrl: parseChain(document.pck_crl_issuer_chain, 'issuer chain of the PCK revocation list'),
				tcbInfo: parseChain(document.tcb_info_issuer_chain, 'issuer chain of the TCB info'),
				qeIdentity: parseChain(document.qe_identity_issuer_chain, 'issuer chain of the QE identity')
			}
		};
	} catch (error) {
		throw new CollateralError((error as Error).message.replace(/\.$/, ''));
	}
}

/** Throws where a certificate of the collateral acts in a role that Intel's profile does not give it, or is out of date. */
export function requireIssuers(collateral: Collateral, root: Root, now: Date): void {
	const { pckCrl, tcbInfo, qeIdentity } = collateral.chains;
	requireChain(pckCrl, ['PCK CA'], root.der, 'issuer chain of the PCK revocation list');
	requireChain(tcbInfo, ['TCB signing'], root.der, 'issuer chain of the TCB info');
	requireChain(qeIdentity, ['TCB signing'], root.der, 'issuer chain of the QE identity');
	for (const certificate of [...pckCrl, ...tcbInfo, ...qeIdentity]) requireDates(certificate, now, 'collateral');
}

/** Throws where the TCB info or the QE identity is not due at `now`. */
export function requireInDate(collateral: Collateral, now: Date): void {
	for (const [name, part] of [['TCB info', collateral.tcbInfo], ['QE identity', collateral.qeIdentity]] as const) {
		const issued = parseTime(part['issueDate']);
		const due = parseTime(part['nextUpdate']);
		if (!issued || !due) throw new CollateralError(`the ${name} states no valid dates`);
		if (now < issued) throw new CollateralError(`the ${name} was issued on ${part['issueDate']}, after the time of this check`);
		if (now > due) throw new CollateralError(`the ${name} expired on ${part['nextUpdate']}`);
	}
}

function evaluationNumber(part: JsonObject, name: string): string {
	const value = part['tcbEvaluationDataNumber'];
	if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
		throw new CollateralError(`the ${name} has no tcbEvaluationDataNumber`);
	return String(value);
}

/** The numbers by which this collateral is told from an older one. */
export function numbers(collateral: Collateral, root: Root): Seen {
	const { document, tcbInfo, qeIdentity, chains } = collateral;
	const crl = (hex: string, name: string) => {
		const number = crlNumber(fromHex(hex));
		if (number === null) throw new CollateralError(`the ${name} carries no number`);
		return number.toString();
	};
	const platform = typeof tcbInfo['fmspc'] === 'string' ? tcbInfo['fmspc'].toUpperCase() : '';
	return {
		[`${root.kind} TCB info of ${platform}`]: evaluationNumber(tcbInfo, 'TCB info'),
		[`${root.kind} QE identity`]: evaluationNumber(qeIdentity, 'QE identity'),
		[`${root.kind} root revocation list`]: crl(document.root_ca_crl, 'root revocation list'),
		[`${root.kind} revocation list of ${chains.pckCrl[0]!.commonName}`]: crl(document.pck_crl, 'PCK revocation list')
	};
}

function asNumber(text: string | undefined): bigint | null {
	return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : null;
}

/** The first of `current` that is older than what was seen, or null. */
export function rolledBack(current: Seen, seen: Seen): { what: string; actual: string; expected: string } | null {
	for (const [what, actual] of Object.entries(current)) {
		const expected = asNumber(seen[what]);
		if (expected !== null && BigInt(actual) < expected) return { what, actual, expected: expected.toString() };
	}
	return null;
}

