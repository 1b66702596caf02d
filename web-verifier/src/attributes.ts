/** What the bits of td_attributes and xfam mean (Intel TDX Module ABI specification, TD attributes; Intel SDM, XSAVE). */

import { fromHex } from './bytes.js';

/** Names of the attribute bits, by bit number. */
const TD_ATTRIBUTES: Record<number, string> = {
	0: 'debug', 4: 'hgs_plus_prof', 5: 'perf_prof', 6: 'pmt_prof', 16: 'icssd', 17: 'servtd_ext', 27: 'lass',
	28: 'sept_ve_disable', 29: 'migratable', 30: 'pks', 31: 'kl', 62: 'tpa', 63: 'perfmon'
};
const XFAM: Record<number, string> = {
	0: 'x87', 1: 'sse', 2: 'avx', 3: 'mpx_bndregs', 4: 'mpx_bndcsr', 5: 'avx512_opmask', 6: 'avx512_zmm_hi256',
	7: 'avx512_hi16_zmm', 8: 'pt', 9: 'pkru', 10: 'pasid', 11: 'cet_u', 12: 'cet_s', 13: 'hdc', 14: 'uintr', 15: 'lbr',
	16: 'hwp', 17: 'amx_tilecfg', 18: 'amx_tiledata'
};

/** Bits that let the host look into the TD or measure it while it runs: bit 0 (debug), 4 to 6 (profiling). */
const DEBUG_BITS = [0, 4, 5, 6];

function bits(hex: string): number[] {
	const set: number[] = [];
	fromHex(hex).forEach((byte, index) => {
		for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) set.push(index * 8 + bit);
	});
	return set;
}

function names(hex: string, table: Record<number, string>): string[] {
	return bits(hex).map((bit) => table[bit] ?? `bit_${bit}`);
}

/** Names of the bits set in `td_attributes` and `xfam` (8 bytes each, hex), lowest bit first. */
export function attributes(quote: { td_attributes: string; xfam: string }): { td_attributes: string[]; xfam: string[] } {
	return { td_attributes: names(quote.td_attributes, TD_ATTRIBUTES), xfam: names(quote.xfam, XFAM) };
}

/** Names of the debug and profiling bits that are set: none in a TD whose memory its host cannot read. */
export function debugBits(td_attributes: string): string[] {
	return bits(td_attributes).filter((bit) => DEBUG_BITS.includes(bit)).map((bit) => TD_ATTRIBUTES[bit]!);
}
