/**
 * TDX quotes, versions 4 and 5, as laid out in Intel's "TDX DCAP Quoting Library API", appendix 3. All integers are
 * little-endian. Every measurement is given as lower-case hex of its raw bytes.
 */

import { td_10, td_15 } from '../data/td_report.json';
import { fromHex, isHex, toHex } from '../shared/bytes.js';
import { decodePem } from './certificates.js';
import { clause, Reason, type Clause } from '../shared/sentence.js';
import { clauseOf } from './reason.js';

export class QuoteFormatError extends Reason {}

/** The TD report body: each field's bytes as hex. The last two are of TD 1.5 only. */
export type TdReport = Record<keyof typeof td_10, string> & Partial<Record<keyof typeof td_15, string>>;

export interface ParsedQuote extends TdReport {
	version: 4 | 5;
	att_key_type: number;
	tee_type: number;
	vendor_id: string;
	user_data: string;
	/** The TD report's generation: body type 2 is TD 1.0, 3 is TD 1.5. */
	body: 'td-1.0' | 'td-1.5';
	/** How many leading bytes the attestation key signs. */
	signed_size: number;
	/** PEM text of the PCK certificate chain inside the quote: leaf first. */
	pck_chain: string;
	/** Size of the QE authentication data; Intel's QE writes 32 bytes. */
	qe_auth_size: number;
	/** The quoting enclave's report: an SGX report body of 384 bytes, hex; `QE_REPORT_FIELDS` are in it. */
	qe_report: string;
	/** Security version of the quoting enclave, from its report. */
	qe_isv_svn: number;
	/** r || s over the first `signed_size` bytes, 32 bytes each, big-endian; hex. */
	signature: string;
	/** x || y, a point of P-256, likewise. */
	attestation_key: string;
	size: number;
	/** The quote itself. */
	hex: string;
}

export const TEE_TYPE_TDX = 0x81;
export const ATTESTATION_KEY_ECDSA_P256 = 2;
export const MAX_QUOTE_SIZE = 64 * 1024;
export const INTEL_QE_VENDOR_ID = '939a7233f79c4ca9940a0db3957f0607';
const PCK_CERT_CHAIN = 5;
const QE_REPORT_SIZE = 384;
/** Offset and size in the SGX report body (Intel SDM, volume 3D, REPORT). */
export const QE_REPORT_FIELDS = {
	misc_select: [16, 4],
	attributes: [48, 16],
	mr_signer: [128, 32],
	isv_prod_id: [256, 2],
	isv_svn: [258, 2]
} as const;

const layout = (fields: Record<string, { size: number }>) =>
	Object.entries(fields).map(([name, { size }]) => [name, size] as [keyof TdReport, number]);
const TD_10 = layout(td_10);
const TD_15 = [...TD_10, ...layout(td_15)];
/** Names of the TD report's fields, as the specification orders them. */
export const TD_REPORT_FIELDS = TD_15.map(([name]) => name);

class Cursor {
	at = 0;
	constructor(
		private readonly bytes: Uint8Array,
		private readonly what: Clause
	) {}

	/** `field` is named as Intel's specification names it, in every language. */
	take(size: number, field: string): Uint8Array {
		if (this.at + size > this.bytes.length)
			throw new QuoteFormatError(
				'the {{what}} ends inside {{field}}: it has {{actual}} of the {{expected}} bytes needed',
				{ what: this.what, field, expected: this.at + size, actual: this.bytes.length }
			);
		this.at += size;
		return this.bytes.subarray(this.at - size, this.at);
	}

	u16(field: string): number {
		const [low, high] = this.take(2, field) as unknown as [number, number];
		return low | (high << 8);
	}

	u32(field: string): number {
		return this.u16(field) + this.u16(field) * 0x10000;
	}
}

function quoteBytes(quote: string | Uint8Array): Uint8Array {
	let bytes: Uint8Array;
	try {
		if (typeof quote === 'string' && !isHex(quote)) throw new Error();
		bytes = typeof quote === 'string' ? fromHex(quote) : quote;
	} catch {
		throw new QuoteFormatError('it is not lower-case hexadecimal');
	}
	if (bytes.length === 0) throw new QuoteFormatError('it is empty');
	if (bytes.length > MAX_QUOTE_SIZE)
		throw new QuoteFormatError('it has {{size}} bytes, more than {{limit}}', {
			size: bytes.length,
			limit: MAX_QUOTE_SIZE
		});
	return bytes;
}

function bodyLayout(cursor: Cursor, version: number): [ParsedQuote['body'], [keyof TdReport, number][]] {
	if (version === 4) return ['td-1.0', TD_10];
	const type = cursor.u16('body type');
	const size = cursor.u32('body size');
	const known = type === 2 ? (['td-1.0', TD_10] as const) : type === 3 ? (['td-1.5', TD_15] as const) : null;
	if (!known) throw new QuoteFormatError('its body type is {{type}}; 2 (TD 1.0) and 3 (TD 1.5) are known', { type });
	const expected = known[1].reduce((sum, [, fieldSize]) => sum + fieldSize, 0);
	if (size !== expected)
		throw new QuoteFormatError('its body size is {{size}}; body type {{type}} has {{expected}}', {
			size,
			type,
			expected
		});
	return [known[0], known[1]];
}

type SignatureData = Pick<
	ParsedQuote,
	'pck_chain' | 'qe_auth_size' | 'qe_report' | 'qe_isv_svn' | 'signature' | 'attestation_key'
>;

function signatureData(cursor: Cursor): SignatureData {
	const whole = new Cursor(cursor.take(cursor.u32('signature size'), 'signature data'), clause('signature data'));
	const signature = toHex(whole.take(64, 'signature'));
	const attestation_key = toHex(whole.take(64, 'attestation key'));
	whole.u16('outer certification type'); // unsigned and without meaning: never relied on
	const certification = whole.take(whole.u32('certification size'), 'certification data');
	const qe = new Cursor(certification, clause('certification data'));
	const report = qe.take(QE_REPORT_SIZE, 'QE report');
	const svnAt = QE_REPORT_FIELDS.isv_svn[0];
	qe.take(64, 'QE report signature');
	const authentication = qe.u16('QE authentication size');
	qe.take(authentication, 'QE authentication data');
	const inner = qe.u16('PCK certification type');
	if (inner !== PCK_CERT_CHAIN)
		throw new QuoteFormatError('its PCK certification data is of type {{type}}, not 5 (a chain)', { type: inner });
	const pem = new TextDecoder('latin1').decode(qe.take(qe.u32('PCK chain size'), 'PCK chain'));
	try {
		decodePem(pem, clause('PCK chain'));
	} catch (error) {
		throw new QuoteFormatError(clauseOf(error));
	}
	return {
		pck_chain: pem,
		qe_auth_size: authentication,
		qe_report: toHex(report),
		qe_isv_svn: report[svnAt]! | (report[svnAt + 1]! << 8),
		signature,
		attestation_key
	};
}

/**
 * Parse a quote (bytes or hex). Throws QuoteFormatError on any other TEE, version, key type or size. Establishes
 * nothing but the layout: nobody's signature is checked here. Bytes after the quote are ignored, as the kernel pads.
 */
export function parseQuote(quote: string | Uint8Array): ParsedQuote {
	const bytes = quoteBytes(quote);
	const cursor = new Cursor(bytes, clause('quote'));
	const version = cursor.u16('version');
	if (version !== 4 && version !== 5)
		throw new QuoteFormatError('its version is {{version}}; 4 and 5 are known', { version });
	const att_key_type = cursor.u16('attestation key type');
	const tee_type = cursor.u32('TEE type');
	cursor.take(4, 'reserved');
	const vendor_id = toHex(cursor.take(16, 'QE vendor id'));
	const user_data = toHex(cursor.take(20, 'user data'));
	if (tee_type !== TEE_TYPE_TDX)
		throw new QuoteFormatError('its TEE type is 0x{{type}}, not 0x81 (TDX)', { type: tee_type.toString(16) });
	if (att_key_type !== ATTESTATION_KEY_ECDSA_P256)
		throw new QuoteFormatError('its attestation key type is {{type}}, not 2 (ECDSA P-256)', { type: att_key_type });
	const [body, layout] = bodyLayout(cursor, version);
	const report: Record<string, string> = {};
	for (const [name, size] of layout) report[name] = toHex(cursor.take(size, name));
	const signed_size = cursor.at;
	if (vendor_id !== INTEL_QE_VENDOR_ID)
		throw new QuoteFormatError("its QE vendor id is {{actual}}, not Intel's {{expected}}", {
			actual: vendor_id,
			expected: INTEL_QE_VENDOR_ID
		});
	const head = { version, att_key_type, tee_type, vendor_id, user_data } as const;
	return {
		...head,
		...(report as unknown as TdReport),
		body,
		signed_size,
		...signatureData(cursor),
		size: bytes.length,
		hex: toHex(bytes)
	};
}
