/** What the bits of td_attributes and xfam mean (Intel TDX Module ABI specification, TD attributes; Intel SDM, XSAVE). */

import { fromHex } from '../shared/bytes.js';
import type { PlatformPolicy } from './references.js';
import type { ParsedQuote } from './quote.js';
import { foreign } from './reason.js';
import { NO_SERVICE_TD, serviceTd, type ReferencePlatform } from './references.js';
import type { Outcome } from './outcome.js';

/** Names of the attribute bits, by bit number. */
const TD_ATTRIBUTES: Record<number, string> = {
	0: 'debug',
	4: 'hgs_plus_prof',
	5: 'perf_prof',
	6: 'pmt_prof',
	16: 'icssd',
	17: 'servtd_ext',
	27: 'lass',
	28: 'sept_ve_disable',
	29: 'migratable',
	30: 'pks',
	31: 'kl',
	62: 'tpa',
	63: 'perfmon'
};
const XFAM: Record<number, string> = {
	0: 'x87',
	1: 'sse',
	2: 'avx',
	3: 'mpx_bndregs',
	4: 'mpx_bndcsr',
	5: 'avx512_opmask',
	6: 'avx512_zmm_hi256',
	7: 'avx512_hi16_zmm',
	8: 'pt',
	9: 'pkru',
	10: 'pasid',
	11: 'cet_u',
	12: 'cet_s',
	13: 'hdc',
	14: 'uintr',
	15: 'lbr',
	16: 'hwp',
	17: 'amx_tilecfg',
	18: 'amx_tiledata'
};
/** dcap-qvl's words for it, which knows no policy about it. */
const REFUSED_MIGRATION = 'TD migration is enabled';
const SERVTD_EXT = 17;
const SEPT_VE_DISABLE = 28;
const MIGRATABLE = 29;
const isReserved = (bit: number) => (bit >= 8 && bit <= 15) || (bit >= 23 && bit <= 26) || (bit >= 32 && bit <= 61);

function bits(hex: string): number[] {
	const set: number[] = [];
	fromHex(hex).forEach((byte, index) => {
		for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) set.push(index * 8 + bit);
	});
	return set;
}

const named = (set: number[], table: Record<number, string>): string[] => set.map((bit) => table[bit] ?? `bit_${bit}`);

/** Names of the bits set in `td_attributes` and `xfam` (8 bytes each, hex), lowest bit first. */
export function attributes(quote: { td_attributes: string; xfam: string }): {
	td_attributes: string[];
	xfam: string[];
} {
	return { td_attributes: named(bits(quote.td_attributes), TD_ATTRIBUTES), xfam: named(bits(quote.xfam), XFAM) };
}

/** Names of the bits of the TD-under-debug group (0 to 7): none in a TD whose memory its host cannot read. */
export function debugBits(td_attributes: string): string[] {
	return named(
		bits(td_attributes).filter((bit) => bit < 8),
		TD_ATTRIBUTES
	);
}

type Held = { policy: Pick<PlatformPolicy, 'mr_service_td' | 'allow_migration'>; platforms: ReferencePlatform[] };

/** A TD of the cloud's own that may reach into this one: named by reference values, accepted by the policy, or neither. */
function checkServiceTd(quote: ParsedQuote, { policy, platforms }: Held): Outcome | null {
	const actual = serviceTd(quote);
	if (actual === NO_SERVICE_TD || platforms.some((platform) => platform.mr_service_td === actual)) return null;
	const accepted = policy.mr_service_td?.includes(actual);
	return accepted
		? { status: 'warn', key: 'tee.check.quote.debug.servicetdaccepted', params: { actual } }
		: { status: 'fail', key: 'tee.check.quote.debug.servicetd', params: { actual } };
}

/** May anybody outside look into the TD, or move it elsewhere? `refusal`: what dcap-qvl has against its attributes. */
export function checkDebug(quote: ParsedQuote, refusal: string, held: Held): Outcome {
	const actual = quote.td_attributes;
	const set = bits(actual);
	const under = debugBits(actual);
	const migratable = set.includes(MIGRATABLE);
	const fail = (key: Outcome['key']): Outcome => ({ status: 'fail', key, params: { actual, bits: under.join(', ') } });
	if (under.length > 0) return fail('tee.check.quote.debug.debug');
	if (migratable && !held.policy.allow_migration) return fail('tee.check.quote.debug.migratable');
	if (set.includes(SERVTD_EXT)) return fail('tee.check.quote.debug.servtdext');
	if (!set.includes(SEPT_VE_DISABLE)) return fail('tee.check.quote.debug.septve');
	if (set.some(isReserved)) return fail('tee.check.quote.debug.reserved');
	const service = checkServiceTd(quote, held);
	if (service?.status === 'fail') return service;
	// whatever else dcap-qvl refuses stays refused, should our reading miss it
	if (refusal && refusal !== REFUSED_MIGRATION)
		return { status: 'fail', key: 'tee.check.quote.debug.refused', params: { reason: foreign(refusal) } };
	if (service) return service;
	if (migratable) return { status: 'warn', key: 'tee.check.quote.debug.migrationaccepted', params: { actual } };
	return { status: 'pass', key: 'tee.check.quote.debug.pass', params: { actual } };
}
