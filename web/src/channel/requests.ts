/** A whole request sealed into a Blob, and the sealed answer opened as it arrives. */

import { concat } from '../shared/bytes.js';
import { AnswerReader, DATA_LIMIT, encodeContent, encodeRequestHead, END, type AnswerHead, type RequestHead } from './binary-http.js';
import { TruncatedError } from './errors.js';
import type { Answer, ClientExchange } from './exchange.js';
import { Chunks, frame } from './framing.js';

/** Bytes of content that are in memory at a time, about 4 MB: what is sealed goes to the browser's store of Blobs. */
const SLICE = 256 * DATA_LIMIT;
const BROKEN_OFF = 'the answer broke off before its final chunk';

/** The body to post. `content` is read piece by piece, so that a long upload is not held in memory twice. */
export async function sealRequest(
	exchange: ClientExchange,
	head: RequestHead,
	content: Blob | null,
	signal?: AbortSignal | null
): Promise<Blob> {
	const sealed = async (data: Uint8Array, final = false) => frame(await exchange.seal(data, final), final) as BlobPart;
	const parts: BlobPart[] = [exchange.prefix as BlobPart, await sealed(encodeRequestHead(head))];
	for (let at = 0; content && at < content.size; at += SLICE) {
		const piece: BlobPart[] = [];
		for (const chunk of encodeContent(new Uint8Array(await content.slice(at, at + SLICE).arrayBuffer()))) {
			signal?.throwIfAborted();
			piece.push(await sealed(chunk));
		}
		parts.push(new Blob(piece));
	}
	parts.push(await sealed(END, true));
	return new Blob(parts);
}

export interface OpenedAnswer {
	head: AnswerHead;
	/** Errs with a SealedError where the answer breaks off or does not open: what came before is not the whole. */
	content: ReadableStream<Uint8Array>;
}

/** Open the answer that `stream` brings, as far as its head; its content follows as it arrives. Throws SealedError. */
export async function openAnswer(exchange: ClientExchange, stream: ReadableStream<Uint8Array>): Promise<OpenedAnswer> {
	const opening = new Opening(exchange, stream.getReader());
	try {
		while (opening.head === null) await opening.read();
	} catch (error) {
		await opening.cancel();
		throw error;
	}
	const content = new ReadableStream<Uint8Array>(
		{ pull: (controller) => opening.pull(controller), cancel: () => opening.cancel() },
		{ highWaterMark: 0 }
	);
	return { head: opening.head, content };
}

class Opening {
	private readonly chunks = new Chunks();
	private readonly message = new AnswerReader();
	private answer: Answer | null = null;
	private begin: Uint8Array = new Uint8Array();
	private pieces: Uint8Array[] = [];
	private ended = false;

	constructor(
		private readonly exchange: ClientExchange,
		private readonly source: ReadableStreamDefaultReader<Uint8Array>
	) {}

	get head(): AnswerHead | null {
		return this.message.head;
	}

	/** Take what comes next. */
	async read(): Promise<void> {
		const next = await this.source.read().catch(() => {
			throw new TruncatedError(BROKEN_OFF);
		});
		if (next.done) await this.end();
		else await this.take(next.value);
	}

	async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
		try {
			while (this.pieces.length === 0 && !this.ended) await this.read();
			for (const piece of this.pieces.splice(0)) controller.enqueue(piece);
			if (this.ended) controller.close();
		} catch (error) {
			controller.error(error);
			await this.cancel();
		}
	}

	async cancel(): Promise<void> {
		await this.source.cancel().catch(() => undefined);
	}

	private async take(data: Uint8Array): Promise<void> {
		let rest = data;
		if (!this.answer) {
			this.begin = concat(this.begin, data);
			const size = this.exchange.nonceSize;
			if (this.begin.length < size) return;
			this.answer = await this.exchange.answer(this.begin.slice(0, size));
			rest = this.begin.slice(size);
		}
		for (const sealed of this.chunks.feed(rest)) this.pieces.push(...this.message.feed(await this.answer.open(sealed)));
	}

	private async end(): Promise<void> {
		if (!this.answer) throw new TruncatedError(BROKEN_OFF);
		this.pieces.push(...this.message.feed(await this.answer.open(this.chunks.end(), true)));
		this.message.end();
		this.ended = true;
		if (this.head === null) throw new TruncatedError(BROKEN_OFF);
	}
}
