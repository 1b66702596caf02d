// @vitest-environment node
/** A WebSocket through the channel, against a server's end of it; and what somebody on the way does to it. */

import { CipherSuite, type RecipientContext } from 'hpke';
import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import * as library from '../../src/channel.js';
import { encodeAnswerHead, RequestReader } from '../../src/channel/binary-http.js';
import { Answer, associated, nonceSize } from '../../src/channel/exchange.js';
import { decodeKeyConfig, type KeyConfig } from '../../src/channel/key-config.js';
import { NATIVE } from '../../src/channel/suite.js';
import { concat, utf8 } from '../../src/shared/bytes.js';
import { english } from '../../src/shared/sentence.js';
import { openingContext } from '../channel/helpers.js';
import { host } from './standing-in.js';

const open = vi.hoisted(() => ({ channel: vi.fn<() => Promise<unknown>>(), renewed: vi.fn<() => Promise<unknown>>() }));
vi.mock('../../src/client/inside.js', async () => {
	const { Reason } = await import('../../src/shared/sentence.js');
	return { ...open, ChannelError: class ChannelError extends Reason {} };
});

class CloseEvent extends Event {
	code: number;
	reason: string;
	wasClean: boolean;
	constructor(type: string, { code = 0, reason = '', wasClean = false } = {}) {
		super(type);
		Object.assign(this, { code, reason, wasClean });
		this.code = code;
		this.reason = reason;
		this.wasClean = wasClean;
	}
}
/** The browser's own socket: what it was asked to send, and what a test lets it receive. */
class Carrier extends EventTarget {
	static made: Carrier[] = [];
	sent: unknown[] = [];
	closed: unknown[] | null = null;
	binaryType = 'blob';
	protocol = 'chat';
	bufferedAmount = 7;
	constructor(readonly url: string, readonly protocols?: unknown) {
		super();
		Carrier.made.push(this);
	}
	close(...args: unknown[]) {
		this.closed = args;
	}
	receive(data: Uint8Array) {
		this.dispatchEvent(new MessageEvent('message', { data: data.slice().buffer }));
	}
	end(code = 1006, reason = '') {
		this.dispatchEvent(new CloseEvent('close', { code, reason }));
	}
}
const raw = vi.fn(function (this: Carrier, data: unknown) {
	this.sent.push(data);
});

/** The server's end of one socket. */
class Peer {
	private sealer!: Answer;
	private constructor(private readonly context: RecipientContext) {}
	static async of(hello: Uint8Array) {
		const cipher = new CipherSuite(NATIVE.kem, NATIVE.kdf, NATIVE.aead);
		const peer = new Peer(await openingContext(cipher, secret, hello));
		const reader = new RequestReader();
		reader.feed(await peer.context.Open(hello.slice(39), associated(false)));
		const nonce = crypto.getRandomValues(new Uint8Array(nonceSize(NATIVE)));
		peer.sealer = await Answer.begin(NATIVE, peer.context, hello.slice(7, 39), nonce);
		const greeting = async (status = 200) => concat(nonce, await peer.sealer.seal(encodeAnswerHead({ status, fields: [] })));
		return { peer, head: reader.head!, greeting };
	}
	async message(kind: number, data: Uint8Array): Promise<Uint8Array> {
		const final = kind === library.CLOSE;
		return concat(Uint8Array.of(final ? library.CLOSE : 0), await this.sealer.seal(library.encodeMessage(kind, data), final));
	}
	async open(sent: unknown) {
		const bytes = sent as Uint8Array;
		return library.decodeMessage(await this.context.Open(bytes.slice(1), associated(bytes[0] === library.CLOSE)));
	}
}

/** Wait for what a test is about, however long this machine takes. */
const until = (found: () => boolean) => vi.waitFor(() => expect(found()).toBe(true), { timeout: 20_000, interval: 2 });
let secret: Uint8Array;
let key: KeyConfig;
let page: ReturnType<typeof host>;
let Socket: ReturnType<typeof import('../../src/client/sealed-socket.js').socketClass>;

beforeAll(async () => {
	vi.stubGlobal('window', { location: new URL('https://chat.example/c/1') });
	vi.stubGlobal('document', { baseURI: 'https://chat.example/c/1' });
	vi.stubGlobal('CloseEvent', CloseEvent);
	const cipher = new CipherSuite(NATIVE.kem, NATIVE.kdf, NATIVE.aead);
	const pair = await cipher.GenerateKeyPair(true);
	secret = await cipher.SerializePrivateKey(pair.privateKey);
	const known = await cipher.SerializePublicKey(pair.publicKey);
	key = decodeKeyConfig(concat(Uint8Array.of(1, 0, 0x20), known, Uint8Array.of(0, 4, 0, 1, 0, 2)));
	const { socketClass } = await import('../../src/client/sealed-socket.js');
	Socket = socketClass(Carrier as unknown as typeof WebSocket, raw);
	page = host();
	(await import('../../src/client/page.js')).attach(page);
});
beforeEach(() => {
	vi.clearAllMocks();
	Carrier.made.length = 0;
	open.channel.mockResolvedValue({ library, key, text: 'key' });
	open.renewed.mockResolvedValue({});
});

/** A socket that asked for its handshake, and what it tells. */
const begun = async () => {
	const made = Carrier.made.length;
	const socket = new Socket('wss://chat.example/ws/socket.io/?EIO=4&token=secret');
	const events: unknown[] = [];
	socket.onopen = () => events.push('open');
	socket.onmessage = ({ data }) => events.push(data);
	socket.onerror = () => events.push('error');
	socket.onclose = ({ code, wasClean }) => events.push([code, wasClean]);
	await until(() => Carrier.made.length > made);
	const carrier = Carrier.made.at(-1)!;
	carrier.dispatchEvent(new Event('open'));
	return { socket, events, carrier, ...(await Peer.of(carrier.sent[0] as Uint8Array)) };
};
const connected = async () => {
	const found = await begun();
	found.carrier.receive(await found.greeting());
	await until(() => found.events.length === 1);
	return found;
};

test('the handshake is inside, and so is every message, in its order', async () => {
	const { socket, events, carrier, head, peer } = await connected();
	expect([carrier.url, head.method, head.path]).toEqual(['wss://chat.example/api/v1/tee/channel', 'GET', '/ws/socket.io/?EIO=4&token=secret']);
	expect(events).toEqual(['open']);
	socket.send('words');
	socket.send(Uint8Array.of(1, 2));
	await until(() => carrier.sent.length === 3);
	expect(await peer.open(carrier.sent[1])).toEqual({ kind: library.TEXT, data: utf8('words') });
	expect(await peer.open(carrier.sent[2])).toEqual({ kind: library.BINARY, data: Uint8Array.of(1, 2) });
	expect(Buffer.concat(carrier.sent as Uint8Array[]).toString('latin1')).not.toMatch(/words|secret/);
	const messages = [await peer.message(library.TEXT, utf8('one')), await peer.message(library.TEXT, utf8('two'))];
	socket.binaryType = 'arraybuffer';
	for (const message of [...messages, await peer.message(library.BINARY, Uint8Array.of(7))]) carrier.receive(message);
	await until(() => events.length === 4);
	expect(events).toEqual(['open', 'one', 'two', Uint8Array.of(7).buffer]);
});

test('closing is said inside, from both ends', async () => {
	const one = await connected();
	one.socket.close(3001);
	await until(() => one.carrier.sent.length === 2);
	expect(await one.peer.open(one.carrier.sent[1])).toEqual({ kind: library.CLOSE, data: Uint8Array.of(11, 185) });
	one.carrier.end(1000);
	await until(() => one.events.length === 2);
	expect(one.events).toEqual(['open', [3001, true]]);
	const other = await connected();
	other.carrier.receive(await other.peer.message(library.CLOSE, Uint8Array.of(3, 233)));
	other.carrier.end(1000);
	await until(() => other.events.length === 2);
	expect(other.events).toEqual(['open', [1001, true]]);
});

test('without its final message, an end is none', async () => {
	const { carrier, events } = await connected();
	carrier.end(1000);
	await until(() => events.length === 2);
	expect(events).toEqual(['open', [1006, false]]);
});

test.each([
	['repeated', ([a]: Uint8Array[]) => [a!, a!]],
	['left out', ([, b]: Uint8Array[]) => [b!]],
	['in another order', ([a, b]: Uint8Array[]) => [b!, a!]],
	['changed', ([a]: Uint8Array[]) => [a!.map((byte, at) => (at === 9 ? byte ^ 1 : byte))]],
	['passed off as the last one', ([a]: Uint8Array[]) => [a!.map((byte, at) => (at === 0 ? library.CLOSE : byte))]],
	['garbage', () => [utf8('garbage')]]
])('a message that is %s ends the socket, and people are told', async (_, attack) => {
	const { socket, carrier, events, peer } = await connected();
	const messages = [await peer.message(library.TEXT, utf8('one')), await peer.message(library.TEXT, utf8('two'))];
	for (const message of attack(messages)) carrier.receive(message);
	await until(() => socket.readyState === 3);
	expect(events.slice(-2)).toEqual(['error', [1006, false]]);
	expect(page.tell.mock.calls.map(([sentence]) => english(sentence))).toEqual([
		'A message of the server cannot be believed: it was changed, repeated or left out on its way.'
	]);
});

test('somebody else answers the handshake', async () => {
	const { carrier, events } = await begun();
	carrier.receive(new Uint8Array(400));
	await until(() => events.length === 2);
	expect(events).toEqual(['error', [1006, false]]);
});

test('the server refuses what is asked inside', async () => {
	const { carrier, events, greeting } = await begun();
	carrier.receive(await greeting(403));
	await until(() => events.length === 2);
	expect(events).toEqual(['error', [1006, false]]);
});

test('the key is gone: fresh evidence, for whoever connects again', async () => {
	const { carrier, events } = await begun();
	carrier.end(4400, 'this message is sealed to a key that this server does not hold (any more)');
	await until(() => events.length === 1);
	expect(events).toEqual([[1006, false]]);
	expect(open.renewed).toHaveBeenCalledTimes(1);
});

test('the clocks are apart: people are told', async () => {
	const { carrier, events } = await begun();
	carrier.end(4400, "This device's clock is 10 minutes ahead of the server's: set it right and try again.");
	await until(() => events.length === 1);
	expect(page.tell.mock.calls.map(([sentence]) => english(sentence))).toEqual([
		"Nothing was sent: this device's clock is 10 minutes ahead of the server's. Set it right and try again."
	]);
	expect(open.renewed).not.toHaveBeenCalled();
});

test('nothing leaves where a channel has to be there and is not', async () => {
	const { ChannelError } = await import('../../src/client/inside.js');
	open.channel.mockRejectedValue(new ChannelError('The encrypted channel could not be loaded.'));
	const socket = new Socket('wss://chat.example/ws/');
	await until(() => socket.readyState === 3);
	expect([socket.readyState, Carrier.made.length, page.tell.mock.calls.length]).toEqual([3, 0, 1]);
});

test('no channel: the browser’s own socket, as it is', async () => {
	open.channel.mockResolvedValue(null);
	const socket = new Socket('/ws/', 'chat');
	const events: string[] = [];
	for (const type of ['open', 'message', 'error', 'close']) socket.addEventListener(type, () => events.push(type));
	await until(() => Carrier.made.length === 1);
	const carrier = Carrier.made[0]!;
	expect([carrier.url, carrier.protocols]).toEqual(['wss://chat.example/ws/', 'chat']);
	carrier.dispatchEvent(new Event('open'));
	expect([socket.protocol, socket.bufferedAmount]).toEqual(['chat', 7]);
	socket.send('words');
	expect(carrier.sent).toEqual(['words']);
	carrier.dispatchEvent(new MessageEvent('message', { data: 'x' }));
	socket.close(3000, 'bye');
	expect(carrier.closed).toEqual([3000, 'bye']);
	carrier.end(3000);
	expect(events).toEqual(['open', 'message', 'close']);
});

test('it cannot be used before it is open, and is given up before that', async () => {
	const socket = new Socket('wss://chat.example/ws/');
	expect(() => socket.send('x')).toThrow('not open');
	socket.close();
	await until(() => socket.readyState === 3);
	expect([socket.readyState, Carrier.made.length]).toEqual([3, 0]);
});
