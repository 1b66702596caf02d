/** Nonces: made here, never taken from anybody. */

import { fromBase64url, toBase64url } from './bytes.js';

/** 32 random bytes, base64url. getRandomValues exists on plain http too. */
export function newNonce(): string {
	return toBase64url(globalThis.crypto.getRandomValues(new Uint8Array(32)));
}

/** Whether `value` is 32 bytes as base64url without padding. */
export function isNonce(value: string): boolean {
	try {
		return value.length === 43 && fromBase64url(value).length === 32;
	} catch {
		return false;
	}
}
