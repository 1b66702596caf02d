/**
 * The one suite (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. By the browser's own cryptography where it
 * has X25519; by JavaScript alone where it has none, as on plain http by address.
 */

import * as noble from '@panva/hpke-noble';
import * as native from 'hpke';

export interface Suite {
	kem: native.KEMFactory;
	kdf: native.KDFFactory;
	aead: native.AEADFactory;
}

export const NATIVE: Suite = {
	kem: native.KEM_DHKEM_X25519_HKDF_SHA256,
	kdf: native.KDF_HKDF_SHA256,
	aead: native.AEAD_AES_256_GCM
};
export const JAVASCRIPT: Suite = {
	kem: noble.KEM_DHKEM_X25519_HKDF_SHA256,
	kdf: noble.KDF_HKDF_SHA256,
	aead: noble.AEAD_AES_256_GCM
};

const hasX25519 = async (): Promise<boolean> => {
	try {
		await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits']);
		return true;
	} catch {
		return false;
	}
};

let chosen: Promise<Suite> | undefined;

/** The faster of the two that work here; found out once. */
export const suite = (): Promise<Suite> => (chosen ??= hasX25519().then((yes) => (yes ? NATIVE : JAVASCRIPT)));
