/**
 * DER (ITU-T X.690), as far as Intel's certificates use it, and the parts of a certificate (RFC 5280) that decide roles.
 * Strict, so that there is one reading: definite lengths in their shortest form, single-byte tags, nothing left over.
 * General readers disagree about what is not needed here, and could be played against each other.
 */

import { equalBytes, toHex } from '../shared/bytes.js';
import { Reason } from '../shared/sentence.js';

export const TAG = { boolean: 1, integer: 2, octets: 4, oid: 6, enumerated: 10, utf8: 0x0c, printable: 0x13, sequence: 0x30, set: 0x31 } as const;
const VERSION_3 = Uint8Array.of(0xa0, 3, 2, 1, 2);
const EXTENSIONS = 0xa3;
const CRL_EXTENSIONS = 0xa0;
/** Contents of the OIDs 2.5.29.19, .15 and .20, hex. The first two are all that may be critical. */
export const BASIC_CONSTRAINTS = '551d13';
export const KEY_USAGE = '551d0f';
export const CRL_NUMBER = '551d14';

/** Contents of the OIDs of CN, O, L, ST and C, hex: what a name of Intel's is made of, in letters of PrintableString. */
const NAME_PARTS = ['550403', '55040a', '550407', '550408', '550406'];
const LETTERS = /^[A-Za-z0-9 '()+,\-./:=?]+$/;

export interface Element {
	tag: number;
	content: Uint8Array;
	/** The whole encoding. */
	der: Uint8Array;
}

/** What is refused here was signed by Intel, or by nobody: there is nothing more to say about it. */
export const notAsSpecified = (): Reason => new Reason("it is not as Intel's profile specifies it");

/** The length at `at`, and where it ends. */
function length(bytes: Uint8Array, at: number): [size: number, end: number] {
	const first = bytes[at]!;
	if (first < 0x80) return [first, at + 1];
	const end = at + 1 + (first & 0x7f);
	if (first === 0x80 || end > bytes.length || end > at + 5) throw notAsSpecified();
	const size = bytes.subarray(at + 1, end).reduce((sum, byte) => sum * 256 + byte, 0);
	if (size < 0x80 || bytes[at + 1] === 0) throw notAsSpecified();
	return [size, end];
}

/** Each element of `bytes`, which is nothing but elements. */
export function elements(bytes: Uint8Array): Element[] {
	const found: Element[] = [];
	for (let at = 0; at < bytes.length; ) {
		const tag = bytes[at]!;
		if ((tag & 0x1f) === 0x1f || at + 1 >= bytes.length) throw notAsSpecified();
		const [size, start] = length(bytes, at + 1);
		if (start + size > bytes.length) throw notAsSpecified();
		found.push({ tag, content: bytes.subarray(start, start + size), der: bytes.subarray(at, start + size) });
		at = start + size;
	}
	return found;
}

/** The content of the one element that `bytes` is. */
export function contentOf(bytes: Uint8Array, tag: number): Uint8Array {
	const [first, ...rest] = elements(bytes);
	if (first?.tag !== tag || rest.length > 0) throw notAsSpecified();
	return first.content;
}

/** The number that an INTEGER's content is, 0 to `most`. */
export function natural(value: Uint8Array, most: number): number {
	const padded = value.length > 1 && value[0] === 0 && value[1]! < 0x80;
	if (value.length === 0 || value[0]! >= 0x80 || padded) throw notAsSpecified();
	const number = value.reduce((sum, byte) => sum * 256 + byte, 0);
	if (number > most) throw notAsSpecified();
	return number;
}

export interface CertificateParts {
	/** DER of the names and of the SubjectPublicKeyInfo. */
	issuer: Uint8Array;
	subject: Uint8Array;
	key: Uint8Array;
	/** Contents by the hex of their OID's content. */
	extensions: Map<string, Uint8Array>;
}

/** An OID's first byte from here on is an arc beyond 2.39, which not every reader takes (2.40 is 120). */
const ARCS = 120;

function extension({ tag, content }: Element): [oid: string, value: Uint8Array] {
	const parts = tag === TAG.sequence ? elements(content) : [];
	const critical = parts.length === 3 ? parts.splice(1, 1)[0]! : null;
	if (critical && (critical.tag !== TAG.boolean || !equalBytes(critical.content, Uint8Array.of(0xff))))
		throw notAsSpecified();
	const [oid, value] = parts;
	if (critical && ![BASIC_CONSTRAINTS, KEY_USAGE].includes(toHex(oid!.content))) throw notAsSpecified();
	if (parts.length !== 2 || oid!.tag !== TAG.oid || value!.tag !== TAG.octets) throw notAsSpecified();
	if (oid!.content[0]! >= ARCS) throw notAsSpecified();
	return [toHex(oid!.content), value!.content];
}

function extensionsOf(bytes: Uint8Array): CertificateParts['extensions'] {
	const pairs = elements(contentOf(bytes, TAG.sequence)).map(extension);
	const extensions = new Map(pairs);
	if (extensions.size !== pairs.length) throw notAsSpecified();
	return extensions;
}

/** A name's DER, if it is one as Intel's are: sets of one part each, of which readers make the same text. */
function nameOf({ der }: Element): Uint8Array {
	for (const set of elements(contentOf(der, TAG.sequence))) {
		const pairs = set.tag === TAG.set ? elements(set.content) : [];
		const parts = pairs.length === 1 && pairs[0]!.tag === TAG.sequence ? elements(pairs[0]!.content) : [];
		const [oid, text] = parts;
		if (parts.length !== 2 || oid!.tag !== TAG.oid || !NAME_PARTS.includes(toHex(oid!.content))) throw notAsSpecified();
		const isText = text!.tag === TAG.utf8 || text!.tag === TAG.printable;
		if (!isText || !LETTERS.test(String.fromCharCode(...text!.content))) throw notAsSpecified();
	}
	return der;
}

/** The parts of an X.509 version 3 certificate (DER); throws where it is anything else. */
export function certificateParts(der: Uint8Array): CertificateParts {
	const [tbs] = elements(contentOf(der, TAG.sequence));
	const fields = tbs?.tag === TAG.sequence ? elements(tbs.content) : [];
	if (fields.length !== 8 || !equalBytes(fields[0]!.der, VERSION_3) || fields[7]!.tag !== EXTENSIONS) throw notAsSpecified();
	const extensions = extensionsOf(fields[7]!.content);
	return { issuer: nameOf(fields[3]!), subject: nameOf(fields[5]!), key: fields[6]!.der, extensions };
}

/** The contents of a CRL's extensions (DER), by the hex of their OID's content; throws where there are none. */
export function crlExtensions(der: Uint8Array): Map<string, Uint8Array> {
	const [tbs] = elements(contentOf(der, TAG.sequence));
	const last = tbs?.tag === TAG.sequence ? elements(tbs.content).at(-1) : undefined;
	if (last?.tag !== CRL_EXTENSIONS) throw notAsSpecified();
	return extensionsOf(last.content);
}
