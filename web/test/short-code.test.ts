/** The code that two people compare: the same for all on one server, another where platform, release or owner differ. */

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Evidence } from '../src/verifier.js';
import { shortCode } from '../src/verifier/short-code.js';
import { parseQuote } from '../src/verifier/quote.js';
import { goodBundle, readCase, resolve } from './helpers.js';

const code = shortCode(goodBundle());
const having = (change: (evidence: Evidence['evidence'], bundle: Evidence) => void): string => {
	const bundle = goodBundle();
	change(bundle.evidence, bundle);
	return shortCode(bundle);
};
const runtime = (evidence: Evidence['evidence']) => evidence['runtime_data'] as Record<string, unknown>;
const bundleOf = (name: string) => resolve(readCase(name).bundle) as Evidence;

/** By hand, with Node's own SHA-256 and base 32, what the documentation says it is. */
function expected(bundle: Evidence): string {
	const { owner } = runtime(bundle.evidence)['data'] as { owner: string };
	const quote = parseQuote(String(bundle.evidence['quote']));
	const names = ['mr_seam', 'mr_td', 'rtmr_0', 'rtmr_1', 'rtmr_2', 'td_attributes', 'xfam'] as const;
	const platform = Object.fromEntries(names.map((name) => [name, quote[name]]));
	const said = { data_owner: owner, platform, release: runtime(bundle.evidence)['release'], v: 1 };
	const digest = createHash('sha256').update(JSON.stringify(said)).digest();
	const bits = BigInt(`0x${digest.subarray(0, 10).toString('hex')}`).toString(2).padStart(80, '0');
	const letters = bits.match(/.{5}/g)!.map((five) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[parseInt(five, 2)]);
	return letters.join('').match(/.{4}/g)!.join('-');
}

test('it is the digest that its documentation says', () => {
	expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
	expect(code).toBe(expected(goodBundle()));
});

test('everybody who is on one server sees the same, whatever their nonce, time, address and the day\'s keys', () => {
	expect(having((_, bundle) => Object.assign(bundle, { nonce: 'x', time: '2030-01-01T00:00:00Z' }))).toBe(code);
	expect(having((_, bundle) => (bundle.connected = { origin: 'https://elsewhere.example' }))).toBe(code);
	expect(having((evidence) => (runtime(evidence)['tls'] = { spki_sha256: '00'.repeat(32), key: 'drawn' }))).toBe(code);
	expect(having((evidence) => (runtime(evidence)['nonces'] = { root: 'x', size: 7 }))).toBe(code);
});

test('another platform, release or owner of the data is another code', () => {
	const platform = having((evidence) => {
		const quote = Buffer.from(String(evidence['quote']), 'hex');
		quote[48 + 136]! ^= 1; // MRTD
		evidence['quote'] = quote.toString('hex');
	});
	const owner = having((evidence) => (runtime(evidence)['data'] = { state: 'encrypted', owner: 'A'.repeat(43) }));
	const codes = [code, platform, shortCode(bundleOf('release-other-release')), owner];
	expect(new Set(codes).size).toBe(codes.length);
});

test('what cannot be read has no code', () => {
	expect(() => having((evidence) => (evidence['quote'] = '00'))).toThrow();
	expect(() => having((evidence) => (evidence['event_log'] = 'nothing of the kind\n'))).toThrow();
});
