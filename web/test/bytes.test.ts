import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromBase64, fromBase64url, fromHex, isHex, toBase64, toBase64url, toHex } from '../src/shared/bytes.js';

const bytes = fc.uint8Array({ maxLength: 100 });

test('every encoding reads what it wrote, and agrees with the platform', () => {
	fc.assert(
		fc.property(bytes, (data) => {
			expect(fromHex(toHex(data))).toEqual(data);
			expect(fromBase64url(toBase64url(data))).toEqual(data);
			expect(fromBase64(toBase64(data))).toEqual(data);
			expect(toHex(data)).toBe(Buffer.from(data).toString('hex'));
			expect(toBase64url(data)).toBe(Buffer.from(data).toString('base64url'));
			expect(toBase64(data)).toBe(Buffer.from(data).toString('base64'));
		})
	);
});

test.each(['abc', 'zz', '0', ' 00'])('%j is not hexadecimal', (text) => {
	expect(isHex(text)).toBe(false);
	expect(() => fromHex(text)).toThrow('not hexadecimal');
});

test('hexadecimal in a document is lower case', () => expect(isHex('AB')).toBe(false));

test.each(['A', 'AA==', 'A+', 'AB', '\u00e9AAA'])('%j is not canonical base64url', (text) => {
	expect(() => fromBase64url(text)).toThrow('not base64url');
});

test.each(['QQ', 'QQ=', '__8=', 'Q===', 'QR=='])('%j is not base64', (text) =>
	expect(() => fromBase64(text)).toThrow('not base64')
);
