/**
 * What dcap-qvl uses of @peculiar/asn1-schema, remembering what it parsed: it parses and re-encodes the same
 * certificates and revocation lists for each step of each chain, which took nine tenths of a verification's time.
 * Parsing depends on nothing but schema and bytes, and dcap-qvl never changes what it parsed.
 */

import { AsnParser as Parser, AsnSerializer as Serializer } from '@peculiar/asn1-schema';
import { toHex } from '../shared/bytes.js';

const KEPT = 64;
const parsed = new Map<object, Map<string, unknown>>();
const serialized = new WeakMap<object, ArrayBuffer>();

type Schema = new () => object;

export const AsnParser = {
	parse(bytes: ArrayBufferView | ArrayBuffer, schema: Schema): unknown {
		// extensions come as OctetString, which is another view: small, and not worth a second way to read bytes
		if (!(bytes instanceof Uint8Array)) return Parser.parse(bytes, schema);
		const text = toHex(bytes);
		const known = parsed.get(schema) ?? new Map<string, unknown>();
		parsed.set(schema, known);
		if (!known.has(text)) {
			const value = Parser.parse(bytes, schema);
			if (known.size >= KEPT) known.clear();
			known.set(text, value);
		}
		return known.get(text);
	}
};

export const AsnSerializer = {
	serialize(value: object): ArrayBuffer {
		const known = serialized.get(value) ?? Serializer.serialize(value);
		serialized.set(value, known);
		// a copy: the caller may wrap and change it
		return known.slice(0);
	}
};
