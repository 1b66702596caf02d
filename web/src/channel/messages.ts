/**
 * Messages of a WebSocket, each sealed by itself: `kind(1) || length || data || zeros`. Its size is on the grid of
 * `paddedSize`, and on multiples of 16,384 bytes beyond it. Only the closing one is final.
 */

import { paddedSize } from './binary-http.js';
import { MalformedError } from './errors.js';
import { CHUNK_LIMIT } from './framing.js';
import * as varint from './varint.js';

/** Kinds, as RFC 6455 numbers them. */
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
/** Bytes of a message. */
const LIMIT = 16 * 1024 * 1024;

/** A message, padded. MalformedError for more than LIMIT bytes. */
export function encodeMessage(kind: number, data: Uint8Array): Uint8Array {
	if (data.length > LIMIT) throw new MalformedError(`a message has at most ${LIMIT} bytes, not ${data.length}`);
	const length = varint.encode(data.length);
	const size = 1 + length.length + data.length;
	const room = size <= CHUNK_LIMIT ? paddedSize(size) : Math.ceil(size / CHUNK_LIMIT) * CHUNK_LIMIT;
	const message = new Uint8Array(room);
	message[0] = kind;
	message.set(length, 1);
	message.set(data, 1 + length.length);
	return message;
}

export function decodeMessage(message: Uint8Array): { kind: number; data: Uint8Array } {
	const kind = message[0];
	if (kind !== TEXT && kind !== BINARY && kind !== CLOSE)
		throw new MalformedError('a sealed message begins with its kind: 1, 2 or 8');
	const { value, end } = varint.require(message, 1, "a message's length");
	if (end + value > message.length || !message.subarray(end + value).every((byte) => byte === 0))
		throw new MalformedError("a sealed message's padding is not what it should be");
	return { kind, data: message.slice(end, end + value) };
}
