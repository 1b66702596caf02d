import { expect, test } from 'vitest';
import { attributes, debugBits } from '../src/verifier/attributes.js';
import { fromHex } from '../src/shared/bytes.js';
import { MAX_QUOTE_SIZE, parseQuote, QuoteFormatError } from '../src/verifier/quote.js';
import { goodBundle, readCase, resolve } from './helpers.js';

const hex = goodBundle().evidence['quote'] as string;
const quoteOf = (name: string) => (resolve(readCase(name).bundle) as { evidence: { quote: string } }).evidence.quote;

/** `size` bytes at `offset`, where the specification puts the field. */
const at = (offset: number, size: number) => hex.slice(2 * offset, 2 * (offset + size));

test('fields lie where the specification puts them (version 4)', () => {
	const quote = parseQuote(hex);
	expect(quote).toMatchObject({
		version: 4,
		body: 'td-1.0',
		tee_type: 0x81,
		att_key_type: 2,
		signed_size: 632,
		qe_auth_size: 32
	});
	const offsets = {
		tee_tcb_svn: 48,
		mr_seam: 64,
		mr_signer_seam: 112,
		seam_attributes: 160,
		td_attributes: 168,
		xfam: 176,
		mr_td: 184
	};
	for (const [field, offset] of Object.entries(offsets)) {
		const value = quote[field as keyof typeof offsets];
		expect(value, field).toBe(at(offset, value.length / 2));
	}
	expect([quote.rtmr_0, quote.rtmr_1, quote.rtmr_2, quote.rtmr_3]).toEqual(
		[376, 424, 472, 520].map((offset) => at(offset, 48))
	);
	expect(quote.report_data).toBe(at(568, 64));
	expect(quote.mr_service_td).toBeUndefined();
});

test('a version 5 quote tells which body it has', () => {
	expect(parseQuote(quoteOf('verified-v5'))).toMatchObject({
		version: 5,
		body: 'td-1.5',
		signed_size: 48 + 6 + 648,
		mr_service_td: '00'.repeat(48)
	});
	expect(parseQuote(quoteOf('verified-v5-td10'))).toMatchObject({
		version: 5,
		body: 'td-1.0',
		signed_size: 48 + 6 + 584
	});
});

test('bytes and hex are the same quote', () => expect(parseQuote(fromHex(hex))).toEqual(parseQuote(hex)));

test('every truncation is refused in words', () => {
	for (let size = 0; size < hex.length / 2; size += 7)
		expect(() => parseQuote(hex.slice(0, 2 * size)), String(size)).toThrow(QuoteFormatError);
	expect(() => parseQuote(hex.slice(0, 300))).toThrow(
		'the quote ends inside mr_signer_seam: it has 150 of the 160 bytes needed'
	);
});

test('an oversized quote is refused before it is read', () => {
	expect(() => parseQuote(new Uint8Array(MAX_QUOTE_SIZE + 1))).toThrow('more than 65536');
});

test('attribute bits have names', () => {
	expect(attributes({ td_attributes: '0100001000000080', xfam: 'e702060000000000' })).toEqual({
		td_attributes: ['debug', 'sept_ve_disable', 'perfmon'],
		xfam: [
			'x87',
			'sse',
			'avx',
			'avx512_opmask',
			'avx512_zmm_hi256',
			'avx512_hi16_zmm',
			'pkru',
			'amx_tilecfg',
			'amx_tiledata'
		]
	});
	expect(debugBits('7100001000000000')).toEqual(['debug', 'hgs_plus_prof', 'perf_prof', 'pmt_prof']);
	expect(debugBits('0000001000000000')).toEqual([]);
});
