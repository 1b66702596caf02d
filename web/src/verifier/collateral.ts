/**
 * Intel's collateral for a platform (Intel PCS API version 4): who signed it, when it is due, and that it is never
 * older than what was seen before. Its signatures are checked in `signature.ts`.
 */

import { equalBytes, fromHex, isHex } from '../shared/bytes.js';
import { crlDue, crlNumber, isoDate, parseChain, requireChain, requireDates, type ParsedCertificate } from './certificates.js';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { clauseOf } from './reason.js';
import type { Root } from './roots.js';
import { requireShape } from './intel-documents.js';
import { isObject, parseObject, type JsonObject } from '../shared/strict-json.js';
import { parseTime } from '../shared/time.js';

export class CollateralError extends Reason {}

export const COLLATERAL_FIELDS = [
	'pck_crl_issuer_chain',
	'root_ca_crl',
	'pck_crl',
	'tcb_info_issuer_chain',
	'tcb_info',
	'tcb_info_signature',
	'qe_identity_issuer_chain',
	'qe_identity',
	'qe_identity_signature'
] as const;
/** dcap-qvl's own collateral repeats the quote's PCK chain; it may be missing. */
const PCK_CHAIN = 'pck_certificate_chain';
export type CollateralDocument = Record<(typeof COLLATERAL_FIELDS)[number], string> & { [PCK_CHAIN]?: string };

/** Numbers of the newest collateral seen; callers keep it and hand it back the next time. Zero: nothing seen. */
export interface Seen {
	/** Of TCB info and QE identity, the lower. */
	tcb_evaluation_data_number: number;
	root_ca_crl_number: number;
	pck_crl_number: number;
}

const ISSUER_CHAINS = {
	pckCrl: clause('issuer chain of the PCK revocation list'),
	tcbInfo: clause('issuer chain of the TCB info'),
	qeIdentity: clause('issuer chain of the QE identity')
};

export interface Collateral {
	document: CollateralDocument;
	tcbInfo: JsonObject;
	qeIdentity: JsonObject;
	chains: Record<keyof typeof ISSUER_CHAINS, ParsedCertificate[]>;
	/** The PCK chain that the collateral was fetched for, where it says so. */
	pckChain: ParsedCertificate[] | null;
}

const MAX_MEMBER = 1024 * 1024;
const SIZES: Record<string, number> = { tcb_info_signature: 64, qe_identity_signature: 64 };

/** Read the collateral object; throws CollateralError where a field is missing or of the wrong kind. */
export function parseCollateral(value: unknown): Collateral {
	if (!isObject(value)) throw new CollateralError('it is not an object');
	const fields = Object.hasOwn(value, PCK_CHAIN) ? [...COLLATERAL_FIELDS, PCK_CHAIN] : COLLATERAL_FIELDS;
	const unknown = Object.keys(value).find((key) => !(fields as readonly string[]).includes(key));
	if (unknown !== undefined) throw new CollateralError('it has the unknown member "{{name}}"', { name: unknown });
	const document = {} as CollateralDocument;
	for (const name of fields as typeof COLLATERAL_FIELDS) {
		const text = value[name];
		if (typeof text !== 'string' || text === '') throw new CollateralError('its {{name}} is missing', { name });
		const hex = name.endsWith('_crl') || name.endsWith('_signature');
		if (hex && !isHex(text.toLowerCase(), SIZES[name]))
			throw new CollateralError('its {{name}} is not hexadecimal of the right size', { name });
		// Intel's are ASCII; anything else would be decoded twice, by two decoders
		if (text.length > MAX_MEMBER || !/^[\x00-\x7f]*$/.test(text))
			throw new CollateralError('its {{name}} is larger than {{limit}} bytes or not ASCII text', {
				name,
				limit: MAX_MEMBER
			});
		document[name] = hex ? text.toLowerCase() : text;
	}
	try {
		const tcbInfo = parseObject(document.tcb_info, 'tcb_info');
		const qeIdentity = parseObject(document.qe_identity, 'qe_identity');
		requireShape('tcb_info', tcbInfo);
		requireShape('qe_identity', qeIdentity);
		const pckChain = document[PCK_CHAIN];
		return {
			document,
			tcbInfo,
			qeIdentity,
			pckChain: pckChain === undefined ? null : parseChain(pckChain, clause('PCK chain')),
			chains: {
				pckCrl: parseChain(document.pck_crl_issuer_chain, ISSUER_CHAINS.pckCrl),
				tcbInfo: parseChain(document.tcb_info_issuer_chain, ISSUER_CHAINS.tcbInfo),
				qeIdentity: parseChain(document.qe_identity_issuer_chain, ISSUER_CHAINS.qeIdentity)
			}
		};
	} catch (error) {
		throw new CollateralError(clauseOf(error));
	}
}

/** Throws where a certificate of the collateral acts in a role that Intel's profile does not give it, or is out of date. */
export function requireIssuers(collateral: Collateral, root: Root, now: Date): void {
	const { pckCrl, tcbInfo, qeIdentity } = collateral.chains;
	requireChain(pckCrl, ['PCK CA'], root.der, ISSUER_CHAINS.pckCrl);
	requireChain(tcbInfo, ['TCB signing'], root.der, ISSUER_CHAINS.tcbInfo);
	requireChain(qeIdentity, ['TCB signing'], root.der, ISSUER_CHAINS.qeIdentity);
	for (const certificate of [...pckCrl, ...tcbInfo, ...qeIdentity])
		requireDates(certificate, now, clause('collateral'));
}

/** Throws where the collateral says that it was fetched for another PCK chain than the quote's. */
export function requireSameChain({ pckChain }: Collateral, chain: ParsedCertificate[]): void {
	const same = pckChain?.length === chain.length && chain.every(({ der }, i) => equalBytes(der, pckChain[i]!.der));
	if (pckChain && !same)
		throw new CollateralError("its {{name}} is not the quote's: it was fetched for another quote", { name: PCK_CHAIN });
}

/** Throws where a CRL is due at `now`: one that ends at this very second has ended, as the command line's reader says. */
export function requireCurrentCrls({ document }: Collateral, now: Date): void {
	for (const what of ['root_ca_crl', 'pck_crl'] as const) {
		const due = crlDue(fromHex(document[what]));
		if (!due || now >= due)
			throw new CollateralError('the {{what}} expired on {{date}}', { what, date: due ? isoDate(due) : '' });
	}
}

/** Throws where the TCB info or the QE identity is not due at `now`. */
export function requireInDate(collateral: Collateral, now: Date): void {
	for (const [what, part] of [
		[clause('TCB info'), collateral.tcbInfo],
		[clause('QE identity'), collateral.qeIdentity]
	] as const) {
		const issued = parseTime(part['issueDate']);
		const due = parseTime(part['nextUpdate']);
		if (!issued || !due) throw new CollateralError('the {{what}} states no valid dates', { what });
		if (now < issued)
			throw new CollateralError('the {{what}} was issued on {{date}}, after the time of this check', {
				what,
				date: String(part['issueDate'])
			});
		if (now > due)
			throw new CollateralError('the {{what}} expired on {{date}}', { what, date: String(part['nextUpdate']) });
	}
}

/** The day (ISO 8601) on which the older of TCB info and QE identity was issued, and how many days before `now` that was. */
export function ageOf({ tcbInfo, qeIdentity }: Collateral, now: Date): { date: string; days: number } {
	const date = [tcbInfo, qeIdentity].map((document) => String(document['issueDate']).slice(0, '2025-07-01'.length)).sort()[0]!;
	return { date, days: Math.floor((now.getTime() - Date.parse(date)) / 86_400_000) };
}

/** The TCB evaluation data number of both documents: the lower. */
export function evaluationNumber(...documents: JsonObject[]): number {
	return Math.min(...documents.map((document) => document['tcbEvaluationDataNumber'] as number));
}

/** The numbers by which this collateral is told from an older one; throws where a list cannot be read. */
export function numbers({ document, tcbInfo, qeIdentity }: Collateral): Seen {
	const crl = (hex: string) => {
		const number = crlNumber(fromHex(hex)) ?? 0n;
		// dcap-qvl in Python reads no greater one
		if (number > 0xffff_ffffn)
			throw new CollateralError('the number of a revocation list is beyond 2^32 ({{number}})', {
				number: String(number)
			});
		return Number(number);
	};
	return {
		tcb_evaluation_data_number: evaluationNumber(tcbInfo, qeIdentity),
		root_ca_crl_number: crl(document.root_ca_crl),
		pck_crl_number: crl(document.pck_crl)
	};
}

const SEEN_NAMES = {
	tcb_evaluation_data_number: clause('tcb evaluation data number'),
	root_ca_crl_number: clause('root ca crl number'),
	pck_crl_number: clause('pck crl number')
};
const SEEN_KEYS = Object.keys(SEEN_NAMES) as (keyof Seen)[];

/** What was seen under each root: the simulator's key is public, so its collateral must not raise Intel's numbers. */
export type SeenByRoot = Record<Root['kind'], Seen>;

/** Whatever is stored, as numbers: what is no whole number counts as never seen. */
export function asSeen(value: unknown): SeenByRoot {
	const numbers = (stored: unknown) =>
		Object.fromEntries(
			SEEN_KEYS.map((key) => [key, isObject(stored) && Number.isSafeInteger(stored[key]) ? stored[key] : 0])
		) as unknown as Seen;
	const roots = isObject(value) ? value : {};
	return { intel: numbers(roots['intel']), simulator: numbers(roots['simulator']) };
}

/** Number by number, the greater. */
export function newest(current: Seen, seen: Seen): Seen {
	return Object.fromEntries(SEEN_KEYS.map((key) => [key, Math.max(current[key], seen[key])])) as unknown as Seen;
}

/** The first number of `current` that is below what was seen, or null. */
export function rolledBack(current: Seen, seen: Seen): { what: Clause; actual: number; expected: number } | null {
	const key = SEEN_KEYS.find((one) => current[one] < seen[one]);
	return key ? { what: SEEN_NAMES[key], actual: current[key], expected: seen[key] } : null;
}
