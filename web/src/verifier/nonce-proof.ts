/**
 * The proof that leads from a nonce to the root that a quote binds (RFC 9162, section 2.1.3.2, over SHA-384). A leaf is
 * SHA-384(0x00 || nonce), a node SHA-384(0x01 || left || right): no node can be passed off as a leaf.
 */

import { concat, equalBytes, fromBase64url } from '../shared/bytes.js';
import { Reason } from '../shared/sentence.js';
import { isObject } from '../shared/strict-json.js';
import { sha384 } from './hash.js';

const HASH_SIZE = 48;
/** Of a tree of 65,536 nonces. */
const LONGEST_PATH = 16;
const [LEAF, NODE] = [Uint8Array.of(0), Uint8Array.of(1)];

export class ProofError extends Reason {}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readHash(text: unknown): Uint8Array {
	const hash = typeof text === 'string' && text.length === 64 ? fromBase64url(text) : null;
	if (hash?.length !== HASH_SIZE) throw new ProofError('a hash of its path is not {{size}} bytes in base64url', { size: HASH_SIZE });
	return hash;
}

/** Index and path of a well-formed proof in a tree of `size` nonces. Throws ProofError, before work is done. */
function readProof(proof: unknown, size: number): { index: number; path: Uint8Array[] } {
	if (!isObject(proof) || Object.keys(proof).sort().join() !== 'index,path,size')
		throw new ProofError('it is missing, or no object of index, size and path');
	const { index, path } = proof;
	if (!isCount(index) || !isCount(proof['size'])) throw new ProofError('its index or its size is no whole number');
	if (proof['size'] !== size)
		throw new ProofError("its size is {{actual}}, the quote's is {{expected}}", { actual: proof['size'], expected: size });
	if (index >= size) throw new ProofError('its index is {{actual}}, of {{size}} nonces', { actual: index, size });
	if (!Array.isArray(path) || path.length > LONGEST_PATH)
		throw new ProofError('its path is no list of at most {{limit}} hashes', { limit: LONGEST_PATH });
	return { index, path: path.map(readHash) };
}

const node = (left: Uint8Array, right: Uint8Array): Uint8Array => sha384(concat(NODE, left, right));

/** The root that the path leads to, from the leaf up; null where it is too long or too short for such a tree. */
function rootOf(nonce: Uint8Array, index: number, size: number, path: Uint8Array[]): Uint8Array | null {
	let [found, place, last] = [sha384(concat(LEAF, nonce)), index, size - 1];
	for (const sibling of path) {
		if (last === 0) return null;
		if (place % 2 === 1 || place === last) {
			found = node(sibling, found);
			// it stood alone, and was handed up as it is
			for (; place % 2 === 0 && place !== 0; place >>= 1) last >>= 1;
		} else found = node(found, sibling);
		place >>= 1;
		last >>= 1;
	}
	return last === 0 ? found : null;
}

/** Whether `proof` leads from `nonce` (32 bytes) to `root` (48) of the tree of `size`. Throws ProofError for one that cannot. */
export function isProven(nonce: Uint8Array, proof: unknown, root: Uint8Array, size: number): boolean {
	const { index, path } = readProof(proof, size);
	const found = rootOf(nonce, index, size, path);
	if (!found)
		throw new ProofError('the length of its path, {{count}}, does not fit nonce {{index}} of {{size}}', {
			count: path.length,
			index,
			size
		});
	return equalBytes(found, root);
}
