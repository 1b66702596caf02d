/** The vectors that both languages share, a client that draws what they drew, and the server's end of an exchange. */

import { readFileSync } from 'node:fs';
import { CipherSuite, type RecipientContext } from 'hpke';
import { vi } from 'vitest';
import { RequestReader, encodeAnswerHead, encodeContent, END } from '../../src/channel/binary-http.js';
import { Answer, ClientExchange, associated, nonceSize, requestInfo } from '../../src/channel/exchange.js';
import { Chunks, frame } from '../../src/channel/framing.js';
import { decodeKeyConfig, type KeyConfig } from '../../src/channel/key-config.js';
import { NATIVE, type Suite } from '../../src/channel/suite.js';
import { concat, fromHex, toBase64url } from '../../src/shared/bytes.js';

const FOLDER = new URL('../../../tests/sealed_http/', import.meta.url);
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));

export interface Head {
	method: string;
	authority: string;
	path: string;
	fields: [string, string][];
	sha256: string;
}
export const VECTORS = read('vectors.json') as {
	request_heads: Record<string, Head>;
	contents: Record<string, { size: number; chunks: string[] }>;
	exchange: Record<'key_config' | 'client_secret' | 'client_public' | 'request' | 'answer' | 'answer_content', string>;
};
export const DRAFT = read('known_answers.json') as Record<
	'secret' | 'public' | 'ephemeral_secret' | 'request' | 'sealed_request' | 'response' | 'response_nonce' | 'sealed_response',
	string
> & { request_pieces: number[]; response_pieces: number[] };

export const sha256 = async (data: Uint8Array): Promise<string> =>
	Buffer.from(await crypto.subtle.digest('SHA-256', data as BufferSource)).toString('hex');

/** Bytes that count, so that none can be exchanged for another unseen (tests/sealed_http/vectors.py). */
export const content = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => (at * 31) % 251);

const x25519 = async (secret: Uint8Array, known: Uint8Array) => {
	const jwk = { kty: 'OKP', crv: 'X25519', x: toBase64url(known) };
	const usages: KeyUsage[] = ['deriveBits'];
	return {
		privateKey: await crypto.subtle.importKey('jwk', { ...jwk, d: toBase64url(secret) }, { name: 'X25519' }, true, usages),
		publicKey: await crypto.subtle.importKey('jwk', jwk, { name: 'X25519' }, true, [])
	};
};

/** A client whose drawn key is given: only tests with known answers draw nothing. */
export const fixedClient = async (server: KeyConfig, suite: Suite, secret: string, known: string): Promise<ClientExchange> => {
	const pair = await x25519(fromHex(secret), fromHex(known));
	const drawn = vi.spyOn(crypto.subtle, 'generateKey').mockResolvedValue(pair);
	try {
		return await ClientExchange.begin(server, suite);
	} finally {
		drawn.mockRestore();
	}
};

/** The server's end: opens a request that a client sealed, and seals its answer. */
export class Server {
	private constructor(private readonly cipher: CipherSuite, private readonly secret: Uint8Array, readonly key: KeyConfig) {}

	static async begin(id = 1): Promise<Server> {
		const cipher = new CipherSuite(NATIVE.kem, NATIVE.kdf, NATIVE.aead);
		const pair = await cipher.GenerateKeyPair(true);
		const known = await cipher.SerializePublicKey(pair.publicKey);
		const config = concat(Uint8Array.of(id, 0, 0x20), known, Uint8Array.of(0, 4, 0, 1, 0, 2));
		return new Server(cipher, await cipher.SerializePrivateKey(pair.privateKey), decodeKeyConfig(config));
	}

	private context(prefix: Uint8Array): Promise<RecipientContext> {
		return openingContext(this.cipher, this.secret, prefix);
	}

	/** What a sealed request holds. */
	async open(request: Uint8Array) {
		const context = await this.context(request);
		const [chunks, reader] = [new Chunks(), new RequestReader()];
		const pieces: Uint8Array[] = [];
		for (const sealed of chunks.feed(request.slice(39))) pieces.push(...reader.feed(await context.Open(sealed, associated(false))));
		pieces.push(...reader.feed(await context.Open(chunks.end(), associated(true))));
		reader.end();
		return { head: reader.head!, content: concat(...pieces) };
	}

	/** The sealed answer to `request`, in the pieces that a server sends. */
	async answer(request: Uint8Array, status: number, fields: [string, string][], ...bodies: Uint8Array[]): Promise<Uint8Array[]> {
		const nonce = crypto.getRandomValues(new Uint8Array(nonceSize(NATIVE)));
		const sealer = await Answer.begin(NATIVE, await this.context(request), request.slice(7, 39), nonce);
		const sent = [concat(nonce, frame(await sealer.seal(encodeAnswerHead({ status, fields }))))];
		for (const body of bodies)
			for (const chunk of encodeContent(body)) sent.push(frame(await sealer.seal(chunk)));
		sent.push(frame(await sealer.seal(END, true), true));
		return sent;
	}
}

export const openingContext = async (cipher: CipherSuite, secret: Uint8Array, prefix: Uint8Array): Promise<RecipientContext> =>
	cipher.SetupRecipient(await cipher.DeserializePrivateKey(secret, true), prefix.slice(7, 39), { info: requestInfo(prefix.slice(0, 7)) });

/** A stream of these bytes, one piece at a time. */
export const streamOf = (pieces: Uint8Array[]): ReadableStream<Uint8Array> =>
	new ReadableStream({
		start(controller) {
			for (const piece of pieces) controller.enqueue(piece);
			controller.close();
		}
	});

export const all = async (stream: ReadableStream<Uint8Array>): Promise<Uint8Array> =>
	new Uint8Array(await new Response(stream as BodyInit).arrayBuffer());
