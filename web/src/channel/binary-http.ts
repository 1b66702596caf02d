/**
 * HTTP messages as bytes: the indeterminate-length form of Binary HTTP (RFC 9292, section 3.2), which can be streamed.
 *
 * A message is `indicator, control data, field lines, 0, content chunks, 0, trailers, 0`. This profile of it has no
 * informational responses and no trailers, and hides lengths: the field `padding` fills the head up to the grid of
 * `paddedSize`, and each content chunk is `length || data || zeros`, its size on the grid as well.
 */

import { concat } from '../shared/bytes.js';
import { MalformedError, TruncatedError } from './errors.js';
import { CHUNK_LIMIT } from './framing.js';
import * as varint from './varint.js';

const REQUEST = 2;
const RESPONSE = 3;
/** No more content, no trailers. */
export const END = Uint8Array.of(0, 0);
/** Bytes in one content chunk, so that it fills one sealed chunk. */
export const DATA_LIMIT = CHUNK_LIMIT - 4;
/** Bytes of control data and fields: a head is one sealed chunk. */
export const HEAD_LIMIT = CHUNK_LIMIT;
const FIELD_COUNT_LIMIT = 256;
const PADDING = 'padding';
/** Of one connection (RFC 9110, section 7.6.1), or of how a message was framed: they have no meaning in here. */
export const NOT_HERE: ReadonlySet<string> = new Set([
	'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'content-length'
]);

/** Names in lower case, values Latin-1 text. */
export type Fields = [name: string, value: string][];

export interface RequestHead {
	method: string;
	/** The host and port that are asked. */
	authority: string;
	/** With its query. */
	path: string;
	fields: Fields;
}
export interface AnswerHead {
	status: number;
	fields: Fields;
}

/** The grid: multiples of 256 bytes up to 4,096, then of 4,096 up to 16,384. */
export function paddedSize(size: number): number {
	const step = size <= 4096 ? 256 : 4096;
	return Math.ceil(size / step) * step;
}

/** A request's head, padded. MalformedError for one that no HTTP message can have, or of more than HEAD_LIMIT bytes. */
export function encodeRequestHead(head: RequestHead): Uint8Array {
	checkRequest(head);
	const control = [head.method, 'https', head.authority, head.path].map(counted);
	return encodeHead([varint.encode(REQUEST), ...control], head.fields);
}

/** The same of an answer: what a server does. */
export function encodeAnswerHead(head: AnswerHead): Uint8Array {
	checkAnswer(head);
	return encodeHead([varint.encode(RESPONSE), varint.encode(head.status)], head.fields);
}

function encodeHead(control: Uint8Array[], fields: Fields): Uint8Array {
	const lines = fields.filter(([name]) => name !== PADDING).flatMap((field) => field.map(counted));
	return concat(padded(concat(...control, ...lines)), Uint8Array.of(0));
}

/** Content, in padded chunks of at most CHUNK_LIMIT bytes each, to be sealed one by one. */
export function* encodeContent(data: Uint8Array): Generator<Uint8Array> {
	for (let start = 0; start < data.length; start += DATA_LIMIT) {
		const piece = data.subarray(start, start + DATA_LIMIT);
		const length = varint.encode(piece.length);
		const room = paddedSize(length.length + piece.length + 2) - 2; // at least 254, so its length takes two bytes
		const prefix = varint.encode(room);
		const chunk = new Uint8Array(prefix.length + room);
		chunk.set(prefix);
		chunk.set(length, prefix.length);
		chunk.set(piece, prefix.length + length.length);
		yield chunk;
	}
}

/** Reads one message from its opened chunks, in order. */
abstract class Reader<Head> {
	private held: Uint8Array = new Uint8Array();
	private ended = false;
	/** There before the first piece of content. */
	head: Head | null = null;

	protected constructor(private readonly kind: number, private readonly texts: number) {}

	protected abstract parse(data: Uint8Array): Head;

	/** The pieces of content that are complete with `data`. */
	feed(data: Uint8Array): Uint8Array[] {
		this.held = concat(this.held, data);
		if (this.head === null && !this.takeHead()) return [];
		const pieces: Uint8Array[] = [];
		let at = 0;
		while (!this.ended) {
			const found = varint.decode(this.held, at);
			if (!found) break;
			if (found.value > CHUNK_LIMIT)
				throw new MalformedError(`a content chunk has at most ${CHUNK_LIMIT} bytes, not ${found.value}`);
			if (this.held.length < found.end + found.value) break;
			at = found.end + found.value;
			if (found.value === 0) this.ended = true;
			else pieces.push(unpadded(this.held.subarray(found.end, at)));
		}
		this.held = this.held.slice(at);
		if (this.ended && !isZero(this.held)) throw new MalformedError('there is something behind the end of the content');
		return pieces;
	}

	/** To be called after the final chunk. TruncatedError where the message has no end. */
	end(): void {
		if (!this.ended) throw new TruncatedError('the message inside the sealed one ends too early');
	}

	private takeHead(): boolean {
		const end = headEnd(this.held, this.kind, this.texts);
		if (end === null) {
			if (this.held.length > HEAD_LIMIT) throw new MalformedError(`a message's head has at most ${HEAD_LIMIT} bytes`);
			return false;
		}
		this.head = this.parse(this.held.subarray(0, end));
		this.held = this.held.slice(end);
		return true;
	}
}

export class RequestReader extends Reader<RequestHead> {
	constructor() {
		super(REQUEST, 4);
	}

	protected parse(data: Uint8Array): RequestHead {
		const [method = '', scheme, authority = '', path = '', ...lines] = textsOf(data, 1);
		if (scheme !== 'https') throw new MalformedError("a sealed request's scheme is https, wherever it came from");
		const head = { method, authority, path, fields: fieldsOf(lines) };
		checkRequest(head);
		return head;
	}
}

export class AnswerReader extends Reader<AnswerHead> {
	constructor() {
		super(RESPONSE, 0);
	}

	protected parse(data: Uint8Array): AnswerHead {
		const { value, end } = varint.require(data, 1, 'the status');
		const head = { status: value, fields: fieldsOf(textsOf(data, end)) };
		checkAnswer(head);
		return head;
	}
}

const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);

function counted(text: string): Uint8Array {
	const data = Uint8Array.from(text, (char) => char.charCodeAt(0));
	return concat(varint.encode(data.length), data);
}

const latin1 = (bytes: Uint8Array): string => {
	let text = '';
	for (const byte of bytes) text += String.fromCharCode(byte);
	return text;
};

/** `head` and a field of zeros, so that it fills the grid with the byte that is still to come. */
function padded(head: Uint8Array): Uint8Array {
	const name = counted(PADDING);
	for (let size = paddedSize(head.length + 1); size <= HEAD_LIMIT; size = paddedSize(size + 1))
		for (const prefix of [1, 2]) {
			const zeros = size - 1 - head.length - name.length - prefix;
			if (zeros < 0 || varint.encode(zeros).length !== prefix) continue;
			return concat(head, name, counted('0'.repeat(zeros)));
		}
	throw new MalformedError(`a message's head has at most ${HEAD_LIMIT} bytes, and this one does not fit`);
}

function unpadded(chunk: Uint8Array): Uint8Array {
	const { value, end } = varint.require(chunk, 0, 'a content chunk');
	if (end + value > chunk.length || !isZero(chunk.subarray(end + value)))
		throw new MalformedError("a content chunk's padding is not what it should be");
	return chunk.slice(end, end + value);
}

/** Where the head in `data` ends, null where it is not complete. `texts`: how many its control data has. */
function headEnd(data: Uint8Array, kind: number, texts: number): number | null {
	let at = skip(data, 0, 0); // the indicator
	if (at !== null && data[0] !== kind)
		throw new MalformedError(`this is no message of the expected kind: it begins with ${data[0]!}, not ${kind}`);
	if (at !== null) at = skip(data, at, texts);
	for (let count = 0; count < FIELD_COUNT_LIMIT + 2; count++) {
		if (at === null || at >= data.length) return null;
		if (data[at] === 0) return at + 1;
		at = skip(data, at, 2);
	}
	throw new MalformedError(`a message has at most ${FIELD_COUNT_LIMIT} fields`);
}

/** Behind `texts` counted texts, or behind one number where that is 0. */
function skip(data: Uint8Array, from: number, texts: number): number | null {
	let at = from;
	for (let left = texts || 1; left > 0; left--) {
		const found = varint.decode(data, at);
		if (!found) return null;
		at = found.end + (texts ? found.value : 0);
		if (at > HEAD_LIMIT) throw new MalformedError(`a message's head has at most ${HEAD_LIMIT} bytes`);
		if (at > data.length) return null;
	}
	return at;
}

/** The counted texts from `at` on, without the byte 0 at the end. */
function textsOf(data: Uint8Array, at: number): string[] {
	const texts: string[] = [];
	while (at < data.length - 1) {
		const { value, end } = varint.require(data, at, 'the head');
		at = end + value;
		texts.push(latin1(data.subarray(end, at)));
	}
	return texts;
}

/** Names and values in turn, without the padding. */
function fieldsOf(texts: string[]): Fields {
	const fields: Fields = [];
	for (let at = 0; at + 1 < texts.length; at += 2)
		if (texts[at] !== PADDING) fields.push([texts[at]!, texts[at + 1]!]);
	return fields;
}

/** MalformedError unless `head` could be put on a line of HTTP/1.1 without meaning something else there. */
function checkRequest({ method, authority, path, fields }: RequestHead): void {
	if (!/^[A-Z]{1,16}$/.test(method)) throw new MalformedError(`“${method.slice(0, 20)}” is not a method`);
	if (!/^\/[\x21-\x7e]*$/.test(path) || !/^[A-Za-z0-9.[\]:_-]*$/.test(authority))
		throw new MalformedError("a request's path begins with / and holds printable ASCII; its authority is a host");
	checkFields(fields);
}

function checkAnswer({ status, fields }: AnswerHead): void {
	if (!(status >= 200 && status <= 599))
		throw new MalformedError(`an answer's status is from 200 to 599 here, not ${status}`);
	checkFields(fields);
}

function checkFields(fields: Fields): void {
	if (fields.length > FIELD_COUNT_LIMIT) throw new MalformedError(`a message has at most ${FIELD_COUNT_LIMIT} fields`);
	for (const [name, value] of fields) {
		const shown = name.slice(0, 40);
		if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || NOT_HERE.has(name))
			throw new MalformedError(`“${shown}” is not a field that a sealed message may have`);
		if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
			throw new MalformedError(`the field “${shown}” holds a control character, or more than Latin-1`);
	}
}
