/**
 * What dcap-qvl uses of the package `elliptic`, over @noble/curves: faster, and without elliptic's open advisory. Only
 * verification is offered. Results are kept for the length of a session, as dcap-qvl verifies the same CRL many times.
 */

import { p256 } from '@noble/curves/nist.js';
import { toHex } from '../shared/bytes.js';

const KEPT = 256;
const kept = new Map<string, boolean>();

function verify(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
	const name = [key, digest, signature].map(toHex).join('/');
	const known = kept.get(name);
	if (known !== undefined) return known;
	let valid: boolean;
	try {
		valid = p256.verify(signature, digest, key, { format: 'der', lowS: false, prehash: false });
	} catch {
		valid = false;
	}
	if (kept.size >= KEPT) kept.clear();
	kept.set(name, valid);
	return valid;
}

export class ec {
	constructor(curve: string) {
		if (curve !== 'p256') throw new Error(`curve ${curve} is not supported`);
	}

	keyFromPublic(key: Iterable<number>) {
		const point = Uint8Array.from(key);
		return {
			verify: (digest: Iterable<number>, signature: Iterable<number>): boolean =>
				verify(point, Uint8Array.from(digest), Uint8Array.from(signature))
		};
	}
}
