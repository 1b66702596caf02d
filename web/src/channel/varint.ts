/** Integers of 1, 2, 4 or 8 bytes, big-endian, whose first two bits say how many (RFC 9000, section 16). */

import { MalformedError } from './errors.js';

export interface Found {
	value: number;
	/** Where it ends. */
	end: number;
}

const LIMIT = 1 << 30;

/** The shortest form of 0 to 2**30 - 1: nothing here is longer. */
export function encode(value: number): Uint8Array {
	if (!Number.isInteger(value) || value < 0 || value >= LIMIT)
		throw new RangeError(`a variable-length integer is from 0 to 2**30 - 1 here, not ${value}`);
	if (value < 1 << 6) return Uint8Array.of(value);
	if (value < 1 << 14) return Uint8Array.of(0x40 | (value >> 8), value & 0xff);
	return Uint8Array.of(0x80 | (value >> 24), (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
}

/** The integer at `at`, null where `data` ends before it does. What is above 2**53 is given as about that. */
export function decode(data: Uint8Array, at = 0): Found | null {
	const first = data[at];
	if (first === undefined) return null;
	const end = at + (1 << (first >> 6));
	if (end > data.length) return null;
	let value = first & 0x3f;
	for (const byte of data.subarray(at + 1, end)) value = value * 256 + byte;
	return { value, end };
}

/** The same for data that is complete; MalformedError where it ends too early. */
export function require(data: Uint8Array, at: number, what: string): Found {
	const found = decode(data, at);
	if (!found) throw new MalformedError(`the message ends in the middle of ${what}`);
	return found;
}
