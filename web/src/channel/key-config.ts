/**
 * The one key and suite of the channel, in the form of RFC 9458, section 3:
 * `key_id(1) kem_id(2) public_key(32) length(2) [kdf_id(2) aead_id(2)]`, big-endian. Another suite would be another bound
 * key, so that nobody on the way can choose the weaker.
 */

import { MalformedError, UnknownSuiteError } from './errors.js';

const KEM = 0x0020;
const KDF = 0x0001;
const AEAD = 0x0002;
const SIZE = 41;
const PUBLIC_KEY = 3;

export const ENCAPSULATED_SIZE = 32;
export const HEADER_SIZE = 7;
export const TAG_SIZE = 16;

export interface KeyConfig {
	/** The key, its id and the suite, as 41 bytes: what `runtime_data.channel` says. */
	encoded: Uint8Array;
	/** X25519, 32 bytes. */
	publicKey: Uint8Array;
	/** The 7 bytes by which a request names key and suite. */
	header: Uint8Array;
}

/** MalformedError unless `data` is exactly one key with the one suite; UnknownSuiteError for another suite. */
export function decodeKeyConfig(data: Uint8Array): KeyConfig {
	if (data.length !== SIZE) throw new MalformedError(`a key configuration has ${SIZE} bytes here, not ${data.length}`);
	const view = new DataView(data.buffer, data.byteOffset, SIZE);
	const [kem, length, kdf, aead] = [1, 35, 37, 39].map((at) => view.getUint16(at));
	if (kem !== KEM || length !== 4 || kdf !== KDF || aead !== AEAD)
		throw new UnknownSuiteError(
			`the channel's suite is KEM ${kem!}, KDF ${kdf!}, AEAD ${aead!}; this side knows ${KEM}, ${KDF}, ${AEAD} only`
		);
	const header = Uint8Array.from([...data.subarray(0, 3), ...data.subarray(37, SIZE)]);
	return { encoded: data.slice(), publicKey: data.slice(PUBLIC_KEY, PUBLIC_KEY + 32), header };
}
