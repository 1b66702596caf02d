/**
 * One request and its answer: who seals what with which key.
 *
 * A request's chunks are sealed by HPKE (RFC 9180) to the server's key; an answer's by a key that both export from that
 * context, with a nonce of the answer's own. Each direction counts its chunks, and the last one is sealed with "final" as
 * associated data: a chunk that was changed, left out, repeated, moved, or taken from the other direction does not open.
 */

import { CipherSuite, type RecipientContext, type SenderContext } from 'hpke';
import { concat, toHex, utf8 } from '../shared/bytes.js';
import { UnopenedError } from './errors.js';
import { HEADER_SIZE, type KeyConfig } from './key-config.js';
import type { Suite } from './suite.js';

const REQUEST_LABEL = utf8('message/bhttp chunked request');
const RESPONSE_LABEL = utf8('message/bhttp chunked response');
const FINAL = utf8('final');
const NOTHING = new Uint8Array();
const DAMAGED = 'a sealed chunk does not open: it was changed on its way, or sealed to another key';

export const associated = (final: boolean): Uint8Array => (final ? FINAL : NOTHING);

/**
 * The field, inside, of a request that is sent again because no key opened it: `nameOf` the one before. Somebody on the way
 * may have kept that one; of the two the server takes one.
 */
export const INSTEAD_OF = 'instead-of';
const NAME_SIZE = 8;

/**
 * What tells a request from all others, by its first bytes: the beginning of its encapsulated key, which is never drawn
 * twice, in hex.
 */
export const nameOf = (prefix: Uint8Array): string => toHex(prefix.slice(HEADER_SIZE, HEADER_SIZE + NAME_SIZE));

/** What both ends of a request have in common. */
type Context = Pick<SenderContext | RecipientContext, 'Export'>;

/** Bytes of the nonce with which an answer begins, in this suite. */
export const nonceSize = ({ aead }: Suite): number => Math.max(aead().Nk, aead().Nn);

/** What HPKE is told that a request is: its label, and the header by which it names key and suite. */
export const requestInfo = (header: Uint8Array): Uint8Array => concat(REQUEST_LABEL, Uint8Array.of(0), header);

/** An answer's direction, at either end: AES-GCM with a nonce that counts (RFC 9458, section 4.4). Calls may not overlap. */
export class Answer {
	private counter = 0;

	private constructor(private readonly suite: Suite, private readonly key: Uint8Array, private readonly nonce: Uint8Array) {}

	static async begin(suite: Suite, context: Context, encapsulated: Uint8Array, nonce: Uint8Array): Promise<Answer> {
		const [kdf, { Nk, Nn }] = [suite.kdf(), suite.aead()];
		const secret = await context.Export(RESPONSE_LABEL, nonceSize(suite));
		const prk = await kdf.Extract(concat(encapsulated, nonce), secret);
		const [key, base] = await Promise.all([kdf.Expand(prk, utf8('key'), Nk), kdf.Expand(prk, utf8('nonce'), Nn)]);
		return new Answer(suite, key, base);
	}

	private next(): Uint8Array {
		const nonce = this.nonce.slice();
		// a number of 2**53 chunks is never reached
		for (let at = nonce.length - 1, rest = this.counter++; rest > 0; at--, rest = Math.floor(rest / 256))
			nonce[at]! ^= rest % 256;
		return nonce;
	}

	seal(data: Uint8Array, final = false): Promise<Uint8Array> {
		return this.suite.aead().Seal(this.key, this.next(), associated(final), data);
	}

	/** What was sealed. UnopenedError if it is not the next chunk of this direction. */
	async open(sealed: Uint8Array, final = false): Promise<Uint8Array> {
		try {
			return await this.suite.aead().Open(this.key, this.next(), associated(final), sealed);
		} catch {
			throw new UnopenedError(DAMAGED);
		}
	}
}

/** The client's side: `prefix` is sent first, then the framed chunks that `seal` makes. */
export class ClientExchange {
	private constructor(
		private readonly suite: Suite,
		private readonly context: SenderContext,
		private readonly encapsulated: Uint8Array,
		readonly prefix: Uint8Array
	) {}

	/** UnopenedError for a key that is no point of the curve. */
	static async begin(server: KeyConfig, suite: Suite): Promise<ClientExchange> {
		const cipher = new CipherSuite(suite.kem, suite.kdf, suite.aead);
		try {
			const key = await cipher.DeserializePublicKey(server.publicKey);
			const { encapsulatedSecret, ctx } = await cipher.SetupSender(key, { info: requestInfo(server.header) });
			return new ClientExchange(suite, ctx, encapsulatedSecret, concat(server.header, encapsulatedSecret));
		} catch {
			throw new UnopenedError("the server's channel key is not a usable X25519 key");
		}
	}

	/** The next chunk of the request. */
	seal(data: Uint8Array, final = false): Promise<Uint8Array> {
		return this.context.Seal(data, associated(final));
	}

	get nonceSize(): number {
		return nonceSize(this.suite);
	}

	/** What opens the answer that begins with `nonce`. */
	answer(nonce: Uint8Array): Promise<Answer> {
		return Answer.begin(this.suite, this.context, this.encapsulated, nonce);
	}
}
