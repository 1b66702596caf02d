/**
 * The boot's event log: what firmware, boot loader and kernel say they measured. In a TD it is the memory that the ACPI
 * table CCEL names; its registers are 1 to 4 for RTMR 0 to 3 (UEFI specification 2.10, section 38.4.1; events as the TCG
 * PC Client Platform Firmware Profile 1.06 has them, section 10.2.2). All integers are little-endian. Nothing in a log is
 * true until it replays to registers that a quote holds.
 */

import { concat, fromBase64url } from '../shared/bytes.js';
import { Reason } from '../shared/sentence.js';
import { sha384 } from './hash.js';
import { clauseOf } from './reason.js';

export class BootLogError extends Reason {}

export interface BootEvent {
	/** 0 to 3. */
	register: number;
	kind: number;
	/** SHA-384, 48 bytes. */
	digest: Uint8Array;
	/** What the log says of it, unproven. */
	data: Uint8Array;
}

const MAX_BYTES = 512 * 1024;
const SHA384 = 0xc;
const NO_ACTION = 0x3;
/** TPM_ALG_ID and the bytes of a digest. */
const SIZES: Record<number, number> = { 0x4: 20, 0xb: 32, [SHA384]: 48, 0xd: 64, 0x12: 32 };
const SIGNATURE = 'Spec ID Event03\0';

const ends = (value: number) => value === 0 || value === 0xffffffff;

/** Reads forward; throws where the log ends too early. */
class Reader {
	at = 0;
	private readonly view: DataView;

	constructor(private readonly log: Uint8Array) {
		this.view = new DataView(log.buffer, log.byteOffset, log.byteLength);
	}

	get left(): number {
		return this.log.length - this.at;
	}

	private need(size: number, cut: () => BootLogError): number {
		if (this.left < size) throw cut();
		this.at += size;
		return this.at - size;
	}

	private readonly cut = () => new BootLogError('it is cut off');

	u16(): number {
		return this.view.getUint16(this.need(2, this.cut), true);
	}

	u32(): number {
		return this.view.getUint32(this.need(4, this.cut), true);
	}

	bytes(size: number, cut: () => BootLogError = this.cut): Uint8Array {
		const from = this.need(size, cut);
		return this.log.subarray(from, from + size);
	}
}

/** The first event, in the old format, whose content is TCG_EfiSpecIDEvent: the algorithms of all others. */
function header(reader: Reader): number[] {
	reader.u32();
	const kind = reader.u32();
	reader.bytes(20);
	const size = reader.u32();
	const content = new Reader(reader.bytes(Math.min(size, reader.left)));
	const cut = size > content.left;
	const signature = String.fromCharCode(...content.bytes(Math.min(16, content.left)));
	if (kind !== NO_ACTION || signature !== SIGNATURE)
		throw new BootLogError('it does not begin with a Spec ID event of version 03');
	content.bytes(8);
	const count = content.u32();
	if (count > Object.keys(SIZES).length) throw new BootLogError('it has {{count}} algorithms', { count });
	const algorithms = Array.from({ length: count }, () => [content.u16(), content.u16()] as const);
	const names = [...new Set(algorithms.map(([name]) => name))];
	if (algorithms.some(([name, length]) => SIZES[name] !== length) || !names.includes(SHA384))
		throw new BootLogError('it has no SHA-384 digests, or an algorithm that is not known');
	if (cut) throw new BootLogError('it is cut off');
	return names;
}

/** The SHA-384 among an event's digests, of which there is one for each algorithm. */
function digestOf(reader: Reader, count: number, algorithms: number[]): Uint8Array {
	if (count !== algorithms.length)
		throw new BootLogError('an event has {{count}} digests, expected {{expected}}', {
			count,
			expected: algorithms.length
		});
	const found = new Map<number, Uint8Array>();
	for (let i = 0; i < count; i++) {
		const algorithm = reader.u16();
		if (!algorithms.includes(algorithm) || found.has(algorithm))
			throw new BootLogError('an event has a digest of an algorithm that the header does not name');
		found.set(
			algorithm,
			reader.bytes(SIZES[algorithm]!, () => new BootLogError('it is cut off within a digest'))
		);
	}
	return found.get(SHA384)!;
}

/** The events of a TD's log. Throws BootLogError: cut off, no SHA-384, a register that no TD has, too large. */
export function parseBootLog(log: Uint8Array): BootEvent[] {
	if (log.length > MAX_BYTES)
		throw new BootLogError('it has {{size}} bytes, more than {{limit}}', { size: log.length, limit: MAX_BYTES });
	const reader = new Reader(log);
	const algorithms = header(reader);
	const events: BootEvent[] = [];
	while (reader.left >= 12) {
		const [index, kind, count] = [reader.u32(), reader.u32(), reader.u32()];
		if (ends(index) && ends(kind) && ends(count)) break; // the rest of the table's memory, zeros or ones
		const digest = digestOf(reader, count, algorithms);
		const data = reader.bytes(reader.u32(), () => new BootLogError('it is cut off within an event'));
		if (kind === NO_ACTION) continue;
		if (index < 1 || index > 4)
			throw new BootLogError('it extends register {{index}}, and a TD has 1 to 4', { index });
		events.push({ register: index - 1, kind, digest, data });
	}
	return events;
}

/** The evidence's member `boot_log`, base64url. Throws BootLogError. */
export function readBootLog(text: unknown): BootEvent[] {
	if (typeof text !== 'string') throw new BootLogError('it is not text');
	if (text.length > Math.ceil((MAX_BYTES * 4) / 3))
		throw new BootLogError('it has {{size}} bytes, more than {{limit}}', {
			size: Math.floor((text.length * 3) / 4),
			limit: MAX_BYTES
		});
	let log: Uint8Array;
	try {
		log = fromBase64url(text);
	} catch (error) {
		throw new BootLogError(clauseOf(error));
	}
	return parseBootLog(log);
}

/** A register that was zeros, extended by these digests in order. */
export function extended(digests: Uint8Array[]): Uint8Array {
	return digests.reduce<Uint8Array>((value, digest) => sha384(concat(value, digest)), new Uint8Array(48));
}
