/** The SGX extension of a PCK certificate ("Intel SGX PCK Certificate and CRL Profile", 1.3.5). */

import { toHex } from '../shared/bytes.js';
import { certificateParts, contentOf, elements, natural, notAsSpecified, TAG, type Element } from './der.js';

/** Content of the OID 1.2.840.113741.1.13.1, hex. */
export const SGX_OID = '2a864886f84d010d01';
const MEMBER = { ppid: 1, tcb: 2, pceId: 3, fmspc: 4, sgxType: 5, instance: 6, configuration: 7 } as const;
const PCE_SVN = 17;
const CPU_SVN = 18;

export interface PckExtension {
	/** 16 components of one byte each. */
	cpu_svn: Uint8Array;
	pce_svn: number;
	/** 2 bytes, hex. */
	pce_id: string;
	/** 6 bytes, hex. */
	fmspc: string;
	/** null: the certificate does not say. */
	dynamic_platform: boolean | null;
	cached_keys: boolean | null;
	smt_enabled: boolean | null;
}

type Members = Map<number, Element>;

/** The members of a SEQUENCE of pairs of an OID and a value: by the last part of their OID. */
function membersOf(value: Uint8Array, prefix: string): Members {
	const members: Members = new Map();
	for (const { tag, content } of elements(value)) {
		const [oid, held, more] = tag === TAG.sequence ? elements(content) : [];
		if (oid?.tag !== TAG.oid || !held || more) throw notAsSpecified();
		const name = toHex(oid.content);
		const number = oid.content.at(-1) ?? 0;
		if (name.length !== prefix.length + 2 || !name.startsWith(prefix) || members.has(number)) throw notAsSpecified();
		members.set(number, held);
	}
	return members;
}

function typed(members: Members, number: number, tag: number, size?: number): Uint8Array {
	const found = members.get(number);
	if (found?.tag !== tag || (size !== undefined && found.content.length !== size)) throw notAsSpecified();
	return found.content;
}

function flags(members: Members): (number: number) => boolean | null {
	const stated = members.has(MEMBER.configuration)
		? membersOf(typed(members, MEMBER.configuration, TAG.sequence), `${SGX_OID}07`)
		: new Map<number, Element>();
	for (const number of stated.keys())
		if (![0, 0xff].includes(typed(stated, number, TAG.boolean, 1)[0]!)) throw notAsSpecified();
	return (number) => (stated.has(number) ? stated.get(number)!.content[0] === 0xff : null);
}

/** The extension of a PCK certificate (DER); throws where it is missing, or not as the profile has it. */
export function parsePck(der: Uint8Array): PckExtension {
	const extension = certificateParts(der).extensions.get(SGX_OID);
	if (!extension) throw notAsSpecified();
	const members = membersOf(contentOf(extension, TAG.sequence), SGX_OID);
	typed(members, MEMBER.ppid, TAG.octets, 16);
	typed(members, MEMBER.sgxType, TAG.enumerated, 1);
	if (members.has(MEMBER.instance)) typed(members, MEMBER.instance, TAG.octets, 16);
	const tcb = membersOf(typed(members, MEMBER.tcb, TAG.sequence), `${SGX_OID}02`);
	for (let number = 1; number <= 16; number++) natural(typed(tcb, number, TAG.integer), 255);
	const flag = flags(members);
	return {
		cpu_svn: Uint8Array.from(typed(tcb, CPU_SVN, TAG.octets, 16)),
		pce_svn: natural(typed(tcb, PCE_SVN, TAG.integer), 65535),
		pce_id: toHex(typed(members, MEMBER.pceId, TAG.octets, 2)),
		fmspc: toHex(typed(members, MEMBER.fmspc, TAG.octets, 6)),
		dynamic_platform: flag(1),
		cached_keys: flag(2),
		smt_enabled: flag(3)
	};
}
