/** Bytes to text and back, strictly: what is not exactly the named encoding is refused, never guessed. */

import { Reason } from './sentence.js';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Lower-case hex of `bytes`. */
export function toHex(bytes: Uint8Array): string {
	let text = '';
	for (const byte of bytes) text += HEX[byte]!;
	return text;
}

export function isHex(text: unknown, bytes?: number): text is string {
	if (typeof text !== 'string' || text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return false;
	return bytes === undefined || text.length === bytes * 2;
}

/** Bytes of a hex string in either case; throws where `text` is anything else. */
export function fromHex(text: string): Uint8Array {
	if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new Error('not hexadecimal');
	const bytes = new Uint8Array(text.length / 2);
	for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
	return bytes;
}

/** Base64url without padding (RFC 4648, section 5). */
export function toBase64url(bytes: Uint8Array): string {
	let text = '';
	for (let i = 0; i < bytes.length; i += 3) {
		const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
		const digits = Math.min(4, bytes.length - i + 1);
		for (let k = 0; k < digits; k++) text += BASE64URL[(group >> (18 - 6 * k)) & 63]!;
	}
	return text;
}

/** Bytes of unpadded base64url; throws on any other character, and where the last digit carries stray bits. */
export function fromBase64url(text: string): Uint8Array {
	const bytes: number[] = [];
	let bits = 0;
	let held = 0;
	for (const char of text) {
		const value = BASE64URL.indexOf(char);
		if (value < 0) throw new Reason('not base64url without padding');
		held = (held << 6) | value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes.push((held >> bits) & 0xff);
			held &= (1 << bits) - 1;
		}
	}
	if (bits >= 6 || held !== 0) throw new Reason('not base64url without padding');
	return Uint8Array.from(bytes);
}

export function toBase64(bytes: Uint8Array): string {
	const text = toBase64url(bytes).replaceAll('-', '+').replaceAll('_', '/');
	return text + '='.repeat((4 - (text.length % 4)) % 4);
}

/** Bytes of standard base64 (RFC 4648, section 4), padding included, as PEM uses it. */
export function fromBase64(text: string): Uint8Array {
	if (text.length % 4 !== 0 || /[-_]/.test(text)) throw new Error('not base64');
	return fromBase64url(
		text
			.replace(/={0,2}$/, '')
			.replaceAll('+', '-')
			.replaceAll('/', '_')
	);
}

export function utf8(text: string): Uint8Array {
	return new TextEncoder().encode(text);
}

export function concat(...parts: Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
	let at = 0;
	for (const part of parts) {
		whole.set(part, at);
		at += part.length;
	}
	return whole;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
