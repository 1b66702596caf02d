import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HERE } from '../bundling.mjs';
import { toHex } from '../src/shared/bytes.js';
import { extended, parseBootLog } from '../src/verifier/boot-log.js';
import { parseQuote } from '../src/verifier/quote.js';

/** Logs of others' TDs, as the Python verifier's tests have them. */
const read = (name: string) => new Uint8Array(readFileSync(join(HERE, '../tests/quote_verifier/boot_logs', name)));

function replay(name: string): string[] {
	const events = parseBootLog(read(name));
	return [0, 1, 2, 3].map((register) =>
		toHex(extended(events.filter((event) => event.register === register).map(({ digest }) => digest)))
	);
}

test('a genuine log replays to the quote that was published with it', () => {
	const quote = parseQuote(read('quote-cos.bin'));
	expect(replay('ccel-cos.bin')).toEqual([quote.rtmr_0, quote.rtmr_1, quote.rtmr_2, quote.rtmr_3]);
});

test.each([
	['ccel-gcp.bin', 21, '204d49f78d29'],
	['ccel-ovmf.bin', 20, '775b9f6bfe99'],
	['ccel-alibaba.bin', 87, '3b0b906140fc']
])('%s is read to its end', (name, count, rtmr1) => {
	expect(parseBootLog(read(name))).toHaveLength(count);
	expect(replay(name)[1]!.slice(0, 12)).toBe(rtmr1);
});
