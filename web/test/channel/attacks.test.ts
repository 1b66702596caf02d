/** What somebody on the way may do to a message, and what becomes of it: a clear error, never a shorter message. */

import { beforeAll, describe, expect, test } from 'vitest';
import { AnswerReader, encodeContent, encodeRequestHead, RequestReader } from '../../src/channel/binary-http.js';
import { MalformedError, SealedError, TruncatedError, UnknownSuiteError, UnopenedError } from '../../src/channel/errors.js';
import { ClientExchange } from '../../src/channel/exchange.js';
import { Chunks } from '../../src/channel/framing.js';
import { decodeKeyConfig } from '../../src/channel/key-config.js';
import { BINARY, CLOSE, decodeMessage, encodeMessage, TEXT } from '../../src/channel/messages.js';
import { openAnswer, sealRequest } from '../../src/channel/requests.js';
import { JAVASCRIPT, NATIVE } from '../../src/channel/suite.js';
import { concat, fromHex, utf8 } from '../../src/shared/bytes.js';
import * as varint from '../../src/channel/varint.js';
import { all, content, Server, streamOf, VECTORS } from './helpers.js';

const HEAD = { method: 'POST', authority: 'chat.example', path: '/api/chat', fields: [] };
let server: Server;
beforeAll(async () => {
	server = await Server.begin();
});

const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

/** A request of a client, and the pieces of its answer. */
const exchanged = async (...bodies: string[]) => {
	const client = await ClientExchange.begin(server.key, NATIVE);
	const request = await bytesOf(await sealRequest(client, HEAD, null));
	return { client, pieces: await server.answer(request, 200, [], ...bodies.map(utf8)) };
};
const readBack = async (client: ClientExchange, pieces: Uint8Array[]) => all((await openAnswer(client, streamOf(pieces))).content);

test.each([['the browser’s', NATIVE], ['JavaScript’s', JAVASCRIPT]])('there and back, by %s cryptography', async (_, suite) => {
	const client = await ClientExchange.begin(server.key, suite);
	const request = await bytesOf(await sealRequest(client, { ...HEAD, fields: [['x-name', 'J\u00fcrgen']] }, new Blob(['words'])));
	const { head, content: carried } = await server.open(request);
	expect([head.path, head.fields, new TextDecoder().decode(carried)]).toEqual(['/api/chat', [['x-name', 'J\u00fcrgen']], 'words']);
	const opened = await openAnswer(client, streamOf(await server.answer(request, 201, [['x-a', 'b']], utf8('good'), utf8(' day'))));
	expect(opened.head).toEqual({ status: 201, fields: [['x-a', 'b']] });
	expect(new TextDecoder().decode(await all(opened.content))).toBe('good day');
});

test('a long upload is sealed slice by slice and whole', async () => {
	const data = content(5_000_000);
	const client = await ClientExchange.begin(server.key, NATIVE);
	const request = await bytesOf(await sealRequest(client, HEAD, new Blob([data as BlobPart])));
	expect(Buffer.compare((await server.open(request)).content, data)).toBe(0);
});

test('an upload that is given up stops', async () => {
	const client = await ClientExchange.begin(server.key, NATIVE);
	await expect(sealRequest(client, HEAD, new Blob(['x']), AbortSignal.abort())).rejects.toThrow('abort');
});

test('an answer comes chunk by chunk, split in any way', async () => {
	const { client, pieces } = await exchanged('one', 'two');
	const single = Array.from(concat(...pieces), (byte) => Uint8Array.of(byte));
	expect(new TextDecoder().decode(await readBack(client, single))).toBe('onetwo');
	const other = await exchanged('first', 'second');
	let send: (piece: Uint8Array) => void = () => undefined;
	const live = new ReadableStream<Uint8Array>({ start: (controller) => void (send = (piece) => controller.enqueue(piece)) });
	send(concat(...other.pieces.slice(0, 2)));
	const reader = (await openAnswer(other.client, live)).content.getReader();
	expect(new TextDecoder().decode((await reader.read()).value)).toBe('first');
});

describe('of an answer', () => {
	test('its end is cut off, at every place', async () => {
		for (const kept of [0, 20, 40, 400, 900]) {
			const { client, pieces } = await exchanged('one', 'two', 'three');
			const cut = concat(...pieces).slice(0, kept);
			await expect(readBack(client, [cut]), String(kept)).rejects.toThrow(SealedError);
		}
		const { client, pieces } = await exchanged('one', 'two');
		await expect(readBack(client, pieces.slice(0, -1))).rejects.toThrow(TruncatedError);
	});

	test('the connection breaks', async () => {
		const { client, pieces } = await exchanged('one', 'two');
		const broken = new ReadableStream<Uint8Array>({
			start(controller) {
				controller.enqueue(pieces[0]);
			},
			pull(controller) {
				controller.error(new TypeError('network error'));
			}
		});
		await expect(openAnswer(client, broken).then(({ content: rest }) => all(rest))).rejects.toThrow(TruncatedError);
	});

	test.each([
		['two chunks change places', ([a, b, c, d]: Uint8Array[]) => [a!, c!, b!, d!]],
		['a chunk is repeated', ([a, b, c, d]: Uint8Array[]) => [a!, b!, b!, c!, d!]],
		['a chunk is left out', ([a, , c, d]: Uint8Array[]) => [a!, c!, d!]],
		['a bit is changed', (all: Uint8Array[]) => all.map((p, at) => (at === 1 ? p.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) : p))],
		['the last chunk is passed off as one before it', ([a, b]: Uint8Array[]) => [a!, concat(Uint8Array.of(0), b!.slice(2))]],
		['it is garbage', () => [content(500)]],
		['it is endless garbage', () => [concat(content(32), fromHex('7fff'), content(40_000))]]
	])('%s', async (_, attack) => {
		const { client, pieces } = await exchanged('one', 'two');
		await expect(readBack(client, attack(pieces))).rejects.toThrow(SealedError);
	});

	test('another answer of the same server is put in its place', async () => {
		const [mine, other] = [await exchanged('mine'), await exchanged('other')];
		await expect(readBack(mine.client, other.pieces)).rejects.toThrow(UnopenedError);
	});

	test('somebody without the key answers', async () => {
		const { client } = await exchanged();
		const stranger = await Server.begin();
		const request = concat(stranger.key.header, client.prefix.slice(7));
		await expect(stranger.answer(request, 200, [], utf8('other')).then((sent) => readBack(client, sent))).rejects.toThrow(UnopenedError);
	});
});

test.each([
	['too short', '01', MalformedError],
	['too long', `${VECTORS.exchange.key_config}00`, MalformedError],
	['another KEM', VECTORS.exchange.key_config.replace(/^010020/, '010010'), UnknownSuiteError],
	['another AEAD', VECTORS.exchange.key_config.replace(/0002$/, '0001'), UnknownSuiteError]
])('a key configuration: %s', (_, hex, kind) => {
	expect(() => decodeKeyConfig(fromHex(hex))).toThrow(kind);
});

test.each([['the browser’s', NATIVE], ['JavaScript’s', JAVASCRIPT]])('a key of small order is refused by %s cryptography', async (_, suite) => {
	const config = decodeKeyConfig(concat(fromHex('010020'), new Uint8Array(32), fromHex('000400010002')));
	await expect(ClientExchange.begin(config, suite)).rejects.toThrow(UnopenedError);
});

test.each([
	['a method', { ...HEAD, method: 'GET /' }],
	['a path with a line break', { ...HEAD, path: '/a\r\nb' }],
	['a path without /', { ...HEAD, path: 'a' }],
	['an authority', { ...HEAD, authority: 'a/b' }],
	['a field of the connection', { ...HEAD, fields: [['connection', 'close']] }],
	['a name in upper case', { ...HEAD, fields: [['X-A', 'b']] }],
	['a value with a line break', { ...HEAD, fields: [['x-a', 'b\r\nx: y']] }],
	['a value beyond Latin-1', { ...HEAD, fields: [['x-a', '\u65e5']] }],
	['too much', { ...HEAD, path: `/${'a'.repeat(16_384)}` }],
	['too many fields', { ...HEAD, fields: Array.from({ length: 257 }, () => ['x-a', 'b']) }]
])('a head that none can be: %s', (_, head) => {
	expect(() => encodeRequestHead(head as Parameters<typeof encodeRequestHead>[0])).toThrow(MalformedError);
});

const answerWith = (rest: number[]) => Uint8Array.from([3, 0x40, 200, ...rest]);
test.each([
	['a request', () => new AnswerReader().feed(encodeRequestHead(HEAD))],
	['a status of 100', () => new AnswerReader().feed(Uint8Array.of(3, 0x40, 100, 0))],
	['content whose padding is not zero', () => new AnswerReader().feed(answerWith([0, 4, 1, 65, 0, 1]))],
	['content longer than its chunk', () => new AnswerReader().feed(answerWith([0, 2, 5, 65]))],
	['something behind the end', () => new AnswerReader().feed(answerWith([0, 0, 0, 1]))],
	['a head without an end', () => new AnswerReader().feed(concat(answerWith([]), fromHex('01780480004001'), content(20_000)))],
	['a content chunk of a gigabyte', () => new AnswerReader().feed(concat(answerWith([0]), fromHex('bfffffff')))],
	['a request by http', () => new RequestReader().feed(concat(Uint8Array.of(2, 3), utf8('GET'), Uint8Array.of(4), utf8('http'), Uint8Array.of(1, 97, 1, 47, 0)))]
])('a message inside that is none: %s', (_, read) => {
	expect(read).toThrow(MalformedError);
});

test('a message inside that has no end', () => {
	const reader = new AnswerReader();
	reader.feed(concat(answerWith([0]), ...encodeContent(utf8('a'))));
	expect(() => reader.end()).toThrow(TruncatedError);
});

test('a chunk is longer than any may be, and the last one, too', () => {
	expect(() => new Chunks().feed(varint.encode(16_401))).toThrow(MalformedError);
	expect(() => new Chunks().feed(varint.encode(15))).toThrow(MalformedError);
	expect(() => new Chunks().feed(concat(Uint8Array.of(0), content(16_401)))).toThrow(MalformedError);
	expect(() => new Chunks().end()).toThrow(TruncatedError);
});

test('integers: each size, cut off, and too large to be made', () => {
	for (const [value, hex] of [[0, '00'], [63, '3f'], [64, '4040'], [16_383, '7fff'], [16_384, '80004000']] as const) {
		expect(varint.encode(value)).toEqual(fromHex(hex));
		expect(varint.decode(fromHex(hex))).toEqual({ value, end: hex.length / 2 });
	}
	expect(varint.decode(fromHex('c000000100000000'))).toEqual({ value: 2 ** 32, end: 8 });
	for (const cut of ['', '40', '800000', 'c0000000000000']) expect(varint.decode(fromHex(cut))).toBeNull();
	expect(() => varint.encode(2 ** 30)).toThrow(RangeError);
});

test('messages of a socket: their sizes are on the grid, and only what is one is read', () => {
	for (const [size, room] of [[0, 256], [250, 256], [254, 512], [5000, 8192], [16_000, 16_384], [17_000, 32_768]] as const) {
		const message = encodeMessage(TEXT, content(size));
		expect(message.length).toBe(room);
		expect(decodeMessage(message)).toEqual({ kind: TEXT, data: content(size) });
	}
	expect(decodeMessage(encodeMessage(BINARY, content(3))).kind).toBe(BINARY);
	expect(decodeMessage(encodeMessage(CLOSE, content(2))).kind).toBe(CLOSE);
	for (const bad of ['', '03', '0105', '010141ff']) expect(() => decodeMessage(fromHex(bad))).toThrow(MalformedError);
	expect(() => encodeMessage(TEXT, new Uint8Array(16 * 1024 * 1024 + 1))).toThrow(MalformedError);
});
