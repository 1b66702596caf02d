/** The draft's known answers, and the vectors that Python's `sealed_http` makes: every byte of them, in both directions. */

import { AEAD_AES_128_GCM, CipherSuite } from 'hpke';
import { expect, test } from 'vitest';
import { AnswerReader, encodeContent, encodeRequestHead, END } from '../../src/channel/binary-http.js';
import { Answer, associated } from '../../src/channel/exchange.js';
import { Chunks, frame } from '../../src/channel/framing.js';
import { decodeKeyConfig, type KeyConfig } from '../../src/channel/key-config.js';
import { openAnswer } from '../../src/channel/requests.js';
import { JAVASCRIPT, NATIVE, type Suite } from '../../src/channel/suite.js';
import { concat, fromHex, toHex, utf8 } from '../../src/shared/bytes.js';
import { all, content, DRAFT, fixedClient, openingContext, sha256, streamOf, VECTORS } from './helpers.js';

const SMALLER: Suite = { ...NATIVE, aead: AEAD_AES_128_GCM };

test.each(Object.entries(VECTORS.request_heads))('a head: %s', async (_, { sha256: expected, ...head }) => {
	expect(await sha256(encodeRequestHead(head))).toBe(expected);
});

test.each(Object.entries(VECTORS.contents))('content: %s', async (_, { size, chunks }) => {
	expect(await Promise.all([...encodeContent(content(size))].map(sha256))).toEqual(chunks);
});

test('a request is sealed as Python seals it, byte for byte, and its answer is read', async () => {
	const { key_config, client_secret, client_public, request, answer, answer_content } = VECTORS.exchange;
	const client = await fixedClient(decodeKeyConfig(fromHex(key_config)), NATIVE, client_secret, client_public);
	const parts = [encodeRequestHead(VECTORS.request_heads['fields']!), ...encodeContent(utf8('hello')), END];
	const sealed = [client.prefix];
	for (const [at, part] of parts.entries()) sealed.push(frame(await client.seal(part, at === 2), at === 2));
	expect(toHex(concat(...sealed))).toBe(request);

	const opened = await openAnswer(client, streamOf([fromHex(answer)]));
	expect(opened.head).toEqual({ status: 200, fields: [['content-type', 'application/json'], ['x-name', 'J\u00fcrgen']] });
	expect(toHex(await all(opened.content))).toBe(answer_content);
});

const pieces = (data: Uint8Array, sizes: number[]): Uint8Array[] => {
	let at = 0;
	return sizes.map((size) => data.slice(at, (at += size)));
};

test('the draft’s request', async () => {
	const sealed = fromHex(DRAFT.sealed_request);
	const server: KeyConfig = { encoded: new Uint8Array(), publicKey: fromHex(DRAFT.public), header: sealed.slice(0, 7) };
	const drawn = toHex(sealed.slice(7, 39));
	const client = await fixedClient(server, SMALLER, DRAFT.ephemeral_secret, drawn);
	const parts = pieces(fromHex(DRAFT.request), DRAFT.request_pieces);
	const sent = [client.prefix];
	for (const [at, part] of parts.entries()) {
		const final = at === parts.length - 1;
		sent.push(frame(await client.seal(part, final), final));
	}
	expect(toHex(concat(...sent))).toBe(DRAFT.sealed_request);
});

test('the draft’s answer', async () => {
	const prefix = fromHex(DRAFT.sealed_request).slice(0, 39);
	const cipher = new CipherSuite(SMALLER.kem, SMALLER.kdf, SMALLER.aead);
	const context = await openingContext(cipher, fromHex(DRAFT.secret), prefix);
	const nonce = fromHex(DRAFT.response_nonce);
	const sealer = await Answer.begin(SMALLER, context, prefix.slice(7), nonce);
	const parts = pieces(fromHex(DRAFT.response), DRAFT.response_pieces);
	const sent = [nonce];
	for (const [at, part] of parts.entries()) {
		const final = at === parts.length - 1;
		sent.push(frame(await sealer.seal(part, final), final));
	}
	expect(toHex(concat(...sent))).toBe(DRAFT.sealed_response);

	const opener = await Answer.begin(SMALLER, context, prefix.slice(7), nonce);
	const chunks = new Chunks();
	const read = [];
	for (const sealed of chunks.feed(fromHex(DRAFT.sealed_response).slice(nonce.length))) read.push(await opener.open(sealed));
	read.push(await opener.open(chunks.end(), true));
	expect(toHex(concat(...read))).toBe(DRAFT.response);
});

test('without the browser’s cryptography, JavaScript alone does the same', async () => {
	const { key_config, request, answer } = VECTORS.exchange;
	const cipher = new CipherSuite(JAVASCRIPT.kem, JAVASCRIPT.kdf, JAVASCRIPT.aead);
	const server = await cipher.DeriveKeyPair(Uint8Array.from({ length: 32 }, (_, at) => at), true);
	expect(toHex(await cipher.SerializePublicKey(server.publicKey))).toBe(key_config.slice(6, 70));
	const sealed = fromHex(request);
	const context = await openingContext(cipher, await cipher.SerializePrivateKey(server.privateKey), sealed);
	const chunks = new Chunks();
	const [head] = chunks.feed(sealed.slice(39));
	expect(toHex(await context.Open(head!, associated(false)))).toBe(toHex(encodeRequestHead(VECTORS.request_heads['fields']!)));

	const bytes = fromHex(answer);
	const opener = await Answer.begin(JAVASCRIPT, context, sealed.slice(7, 39), bytes.slice(0, 32));
	const reader = new AnswerReader();
	const [first] = new Chunks().feed(bytes.slice(32));
	reader.feed(await opener.open(first!));
	expect(reader.head?.status).toBe(200);
});
