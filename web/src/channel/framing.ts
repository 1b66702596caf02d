/**
 * Chunks of a sealed message as they travel: `length || sealed` each, the last one `0 || sealed` up to the end
 * (draft-ietf-ohai-chunked-ohttp-08, section 4). The length is a variable-length integer and counts the tag.
 */

import { concat } from '../shared/bytes.js';
import { MalformedError, TruncatedError } from './errors.js';
import { TAG_SIZE } from './key-config.js';
import * as varint from './varint.js';

/** Bytes of a chunk before it is sealed: what every receiver accepts. */
export const CHUNK_LIMIT = 16_384;
const SEALED_LIMIT = CHUNK_LIMIT + TAG_SIZE;

/** One chunk, ready to be sent. */
export const frame = (sealed: Uint8Array, final = false): Uint8Array =>
	concat(varint.encode(final ? 0 : sealed.length), sealed);

/** Takes a stream's bytes, split in any way, and gives the sealed chunks in it. */
export class Chunks {
	private held: Uint8Array = new Uint8Array();
	/** What is held belongs to the final chunk, which runs to the stream's end. */
	private last = false;

	/** The chunks that are complete with `data`, none of them the final one. MalformedError for a long one. */
	feed(data: Uint8Array): Uint8Array[] {
		const held = this.held.length ? concat(this.held, data) : data;
		const chunks: Uint8Array[] = [];
		let at = 0;
		while (!this.last) {
			const found = varint.decode(held, at);
			if (!found) break;
			if (found.value === 0) {
				this.last = true;
				at = found.end;
				break;
			}
			if (found.value < TAG_SIZE || found.value > SEALED_LIMIT)
				throw new MalformedError(`a sealed chunk has ${TAG_SIZE} to ${SEALED_LIMIT} bytes, not ${found.value}`);
			if (held.length < found.end + found.value) break;
			at = found.end + found.value;
			chunks.push(held.subarray(found.end, at));
		}
		this.held = held.slice(at);
		if (this.last && this.held.length > SEALED_LIMIT)
			throw new MalformedError(`the final chunk has more than ${SEALED_LIMIT} bytes`);
		return chunks;
	}

	/** The final chunk, when the stream has ended. TruncatedError where it ended too early. */
	end(): Uint8Array {
		if (!this.last || this.held.length < TAG_SIZE)
			throw new TruncatedError('the sealed message ended before its final chunk: something cut it off on its way');
		return this.held;
	}
}
