/**
 * A WebSocket through the encrypted channel: the page's own in everything but its way. The first message outside holds the
 * sealed handshake, each later one is sealed by itself; the closing one is final.
 */

import type { Answer, ClientExchange } from '../channel.js';
import { concat, utf8 } from '../shared/bytes.js';
import { clause, type Clause } from '../shared/sentence.js';
import { PATH } from '../shared/outside.js';
import { channel, ChannelError, renewed, type Channel } from './inside.js';
import { page } from './page.js';
import { clocksApart } from './sealed-fetch.js';

/** The door's close code for a handshake that it refuses; the reason says why. */
const REFUSED = 4400;
const DAMAGED = clause('A message of the server cannot be believed: it was changed, repeated or left out on its way.');
const MESSAGE_BYTE = Uint8Array.of(0);

type Outgoing = string | ArrayBufferLike | Blob | ArrayBufferView;

const bytesOf = async (data: Exclude<Outgoing, string>): Promise<Uint8Array> => {
	if (data instanceof Blob) return new Uint8Array(await data.arrayBuffer());
	if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
	return new Uint8Array(data as ArrayBuffer);
};

/** What stands for the browser: its WebSocket, and that one's `send`, in front of which no guard stands. */
interface Natives {
	Socket: typeof WebSocket;
	send: WebSocket['send'];
}

/** A WebSocket through the channel; the browser's own, passed on, where there is no channel. */
class ChannelSocket extends EventTarget {
	static readonly CONNECTING = 0;
	static readonly OPEN = 1;
	static readonly CLOSING = 2;
	static readonly CLOSED = 3;
	readonly CONNECTING = 0;
	readonly OPEN = 1;
	readonly CLOSING = 2;
	readonly CLOSED = 3;
	readonly url: string;
	readonly extensions = '';
	protocol = '';
	binaryType: BinaryType = 'blob';
	readyState = 0;
	onopen: ((event: Event) => void) | null = null;
	onmessage: ((event: MessageEvent) => void) | null = null;
	onerror: ((event: Event) => void) | null = null;
	onclose: ((event: CloseEvent) => void) | null = null;

	private carrier: WebSocket | null = null;
	private open: Channel | null = null;
	private exchange: ClientExchange | null = null;
	private answer: Answer | null = null;
	/** What goes out, and what comes in, each in its order. */
	private out: Promise<void> = Promise.resolve();
	private in: Promise<void> = Promise.resolve();
	private end: { code: number; reason: string; clean: boolean } = { code: 1006, reason: '', clean: false };

	constructor(
		private readonly natives: Natives,
		url: string | URL,
		private readonly protocols?: string | string[]
	) {
		super();
		this.url = new URL(String(url), document.baseURI).href.replace(/^http/, 'ws');
		void this.start();
	}

	get bufferedAmount(): number {
		return this.carrier?.bufferedAmount ?? 0;
	}

	private async start(): Promise<void> {
		try {
			this.open = await channel();
			if (this.readyState !== 0) { this.closed(); return; }
			if (this.open) await this.handshake(this.open);
			else this.relay();
		} catch (error) {
			if (error instanceof ChannelError) page().tell(error.clause);
			this.fail();
		}
	}

	/** No channel: the browser's own socket, with its events. */
	private relay(): void {
		const carrier = (this.carrier = new this.natives.Socket(this.url, this.protocols));
		carrier.binaryType = this.binaryType;
		carrier.addEventListener('open', () => {
			this.protocol = carrier.protocol;
			this.opened();
		});
		carrier.addEventListener('message', ({ data }) => this.tell(new MessageEvent('message', { data: data as unknown })));
		carrier.addEventListener('error', () => this.tell(new Event('error')));
		carrier.addEventListener('close', ({ code, reason, wasClean }) => {
			this.end = { code, reason, clean: wasClean };
			this.closed();
		});
	}

	private async handshake({ library, key }: Channel): Promise<void> {
		const { host, protocol, origin } = window.location;
		const { pathname, search } = new URL(this.url);
		const exchange = (this.exchange = await library.ClientExchange.begin(key, await library.suite()));
		const fields: [string, string][] = [['date', new Date().toUTCString()], ['origin', origin]];
		const head = library.encodeRequestHead({ method: 'GET', authority: host, path: pathname + search, fields });
		const hello = concat(exchange.prefix, await exchange.seal(head));
		const carrier = (this.carrier = new this.natives.Socket(`${protocol.replace('http', 'ws')}//${host}${PATH}`));
		carrier.binaryType = 'arraybuffer';
		carrier.addEventListener('open', () => this.natives.send.call(carrier, hello as BufferSource));
		carrier.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
			this.in = this.in.then(() => this.take(new Uint8Array(data))).catch(() => this.damaged());
		});
		carrier.addEventListener('close', (event) => {
			this.in = this.in.then(() => this.ended(event));
		});
	}

	/** One message of the server's. Throws where it does not open. */
	private async take(data: Uint8Array): Promise<void> {
		if (this.readyState === 3) return;
		const { library } = this.open!;
		if (!this.answer) {
			const size = this.exchange!.nonceSize;
			const answer = await this.exchange!.answer(data.slice(0, size));
			const reader = new library.AnswerReader();
			reader.feed(await answer.open(data.slice(size)));
			if (!reader.head) throw new Error('no head');
			this.answer = answer;
			if (reader.head.status < 300) this.opened();
			else this.fail();
			return;
		}
		const final = data[0] === library.CLOSE;
		const { kind, data: said } = library.decodeMessage(await this.answer.open(data.subarray(1), final));
		if ((kind === library.CLOSE) !== final) throw new Error('only the closing message is final');
		if (kind === library.CLOSE) this.end = { code: (said[0]! << 8) | said[1]! || 1005, reason: '', clean: true };
		else if (kind === library.TEXT) this.message(new TextDecoder('utf-8', { fatal: true }).decode(said));
		else this.message(this.binaryType === 'blob' ? new Blob([said as BlobPart]) : said.buffer);
	}

	private message(data: unknown): void {
		this.tell(new MessageEvent('message', { data, origin: new URL(this.url).origin }));
	}

	private damaged(): void {
		if (this.readyState === 3) return;
		page().tell(DAMAGED);
		this.fail();
	}

	/** The carrier closed; without the final message the end is not a clean one. */
	private ended({ code, reason }: CloseEvent): void {
		if (!this.answer && code === REFUSED) this.refused(reason);
		this.closed();
	}

	/** Why a handshake was refused is outside the seal: it leads to fresh evidence, or to a sentence, no further. */
	private refused(reason: string): void {
		const [, minutes, side] = /clock is (\d+) minutes (ahead|behind)/.exec(reason) ?? [];
		if (minutes) page().tell(clocksApart(new Date(Date.now() + Number(minutes) * (side === 'ahead' ? -60_000 : 60_000)).toUTCString()));
		else if (this.open) renewed(this.open).catch((error: unknown) => this.explain(error));
	}

	private explain(error: unknown): void {
		const said: Clause | null = error instanceof ChannelError ? error.clause : null;
		if (said) page().tell(said);
	}

	send(data: Outgoing): void {
		if (this.readyState === 0) throw new DOMException('The socket is not open yet.', 'InvalidStateError');
		if (this.readyState !== 1) return;
		if (!this.exchange) this.natives.send.call(this.carrier!, data as string);
		else this.later(() => this.sealed(data));
	}

	private async sealed(data: Outgoing): Promise<void> {
		const { library } = this.open!;
		const [kind, bytes] = typeof data === 'string' ? [library.TEXT, utf8(data)] : [library.BINARY, await bytesOf(data)];
		this.natives.send.call(this.carrier!, concat(MESSAGE_BYTE, await this.exchange!.seal(library.encodeMessage(kind, bytes))) as BufferSource);
	}

	close(code?: number, reason?: string): void {
		if (this.readyState >= 2) return;
		const wasOpen = this.readyState === 1;
		this.readyState = 2;
		if (wasOpen && this.exchange) this.later(() => this.goodbye(code ?? 1000));
		else if (code === undefined) this.carrier?.close();
		else this.carrier?.close(code, reason);
	}

	private async goodbye(code: number): Promise<void> {
		const { library } = this.open!;
		const last = library.encodeMessage(library.CLOSE, Uint8Array.of(code >> 8, code & 0xff));
		this.natives.send.call(this.carrier!, concat(Uint8Array.of(library.CLOSE), await this.exchange!.seal(last, true)) as BufferSource);
		this.carrier!.close(1000);
		this.end = { code, reason: '', clean: true };
	}

	private later(work: () => Promise<void>): void {
		this.out = this.out.then(work).catch(() => this.fail());
	}

	private opened(): void {
		if (this.readyState !== 0) return;
		this.readyState = 1;
		this.tell(new Event('open'));
	}

	private fail(): void {
		if (this.readyState === 3) return;
		this.tell(new Event('error'));
		this.carrier?.close();
		this.closed();
	}

	private closed(): void {
		if (this.readyState === 3) return;
		this.readyState = 3;
		const { code, reason, clean } = this.end;
		this.tell(new CloseEvent('close', { code, reason, wasClean: clean }));
	}

	private tell(event: Event): void {
		const handler = { open: this.onopen, message: this.onmessage, error: this.onerror, close: this.onclose }[event.type];
		(handler as ((event: Event) => void) | null | undefined)?.call(this, event);
		this.dispatchEvent(event);
	}
}

/**
 * Takes the place of WebSocket. `Socket` is the browser's, and `send` its own, in front of which no guard stands: what is sealed
 * was judged before.
 */
export const socketClass = (Socket: typeof WebSocket, send: WebSocket['send']) =>
	class extends ChannelSocket {
		constructor(url: string | URL, protocols?: string | string[]) {
			super({ Socket, send }, url, protocols);
		}
	};
