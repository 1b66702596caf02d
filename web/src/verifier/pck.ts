/** The SGX extension of a PCK certificate ("Intel SGX PCK Certificate and CRL Profile", 1.3.5). */

import { Buffer, findExtension, getIntelExtension } from '#dcap';
import { toHex } from '../shared/bytes.js';
import { Reason } from '../shared/sentence.js';

const SGX = '1.2.840.113741.1.13.1';
const CONFIGURATION = `${SGX}.7`;

export interface PckExtension {
	/** 16 components of one byte each. */
	cpu_svn: Uint8Array;
	pce_svn: number;
	/** 2 bytes, hex. */
	pce_id: string;
	/** 6 bytes, hex. */
	fmspc: string;
	/** null: the certificate does not say. */
	dynamic_platform: boolean | null;
	cached_keys: boolean | null;
	smt_enabled: boolean | null;
}

/** Value of a DER INTEGER of at most two bytes and a sign byte. */
function smallInteger(der: Uint8Array): number {
	const value = der.subarray(2);
	if (der[0] !== 2 || der[1] !== value.length || value.length === 0 || value.length > 3)
		throw new Reason('the PCE SVN is no small integer');
	return value.reduce((sum, byte) => sum * 256 + byte, 0);
}

function flag(extension: Uint8Array, oid: string): boolean | null {
	try {
		const der = findExtension([CONFIGURATION, `${CONFIGURATION}.${oid}`], extension);
		return der.length === 3 && der[0] === 1 && der[1] === 1 ? der[2] !== 0 : null;
	} catch {
		return null;
	}
}

/** Throws where the extension is missing or malformed. */
export function parsePck(der: Uint8Array): PckExtension {
	const extension = getIntelExtension(Buffer.from(der));
	const find = (...path: string[]) =>
		findExtension(
			path.map((part) => `${SGX}.${part}`),
			extension
		);
	return {
		cpu_svn: Uint8Array.from(find('2', '2.18')),
		pce_svn: smallInteger(Uint8Array.from(find('2', '2.17'))),
		pce_id: toHex(find('3')),
		fmspc: toHex(find('4')),
		dynamic_platform: flag(extension, '1'),
		cached_keys: flag(extension, '2'),
		smt_enabled: flag(extension, '3')
	};
}
