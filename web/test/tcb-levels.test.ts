/**
 * What our judgement of the TCB refuses although dcap-qvl would have refused it before: it is asked alone where dcap-qvl
 * stopped. Which levels are reached is held by the shared vectors, and by dcap-qvl itself on every quote.
 */

import { expect, test } from 'vitest';
import type { JsonObject } from '../src/shared/strict-json.js';
import { parseChain } from '../src/verifier/certificates.js';
import { parseCollateral } from '../src/verifier/collateral.js';
import { parsePck } from '../src/verifier/pck.js';
import { parseQuote } from '../src/verifier/quote.js';
import { clause } from '../src/shared/sentence.js';
import { BelowLevels, judgeTcb } from '../src/verifier/tcb-levels.js';
import { goodBundle } from './helpers.js';

const bundle = goodBundle();
const quote = parseQuote(bundle.evidence['quote'] as string);
const { tcbInfo, qeIdentity } = parseCollateral(bundle.collateral);
const pck = parsePck(parseChain(quote.pck_chain, clause('chain'))[0]!.der);
const judge = (info: JsonObject, identity: JsonObject, report = quote.qe_report) =>
	judgeTcb(
		{ ...quote, qe_report: report },
		{ tcbInfo: { ...tcbInfo, ...info }, qeIdentity: { ...qeIdentity, ...identity } },
		pck
	);

/** The QE's report with its first byte of attributes changed. */
const reportWith = (attributes: number) =>
	quote.qe_report.slice(0, 96) + attributes.toString(16).padStart(2, '0') + quote.qe_report.slice(98);

test('the good one is up to date', () => {
	expect(judge({}, {})).toMatchObject({ status: 'UpToDate', qe_status: 'UpToDate', advisories: [] });
});

test.each<[JsonObject, string]>([
	[{ miscselect: '00000001' }, 'miscselect'],
	[{ attributes: '13000000000000000000000000000000' }, 'attributes'],
	[{ mrsigner: '00'.repeat(32) }, 'mrsigner'],
	[{ isvprodid: 1 }, 'isvprodid']
])('a quoting enclave other than %j is refused', (identity, field) => {
	expect(() => judge({}, identity)).toThrow(`the quoting enclave's ${field} is not the QE identity's`);
});

test('a debuggable quoting enclave is refused, even where the mask would let it pass', () => {
	const blind = { attributesMask: `F9${'FF'.repeat(7)}${'00'.repeat(8)}` };
	expect(() => judge({}, blind, reportWith(0x13))).toThrow('the quoting enclave is under debug');
	expect(judge({}, blind, reportWith(0x11)).status).toBe('UpToDate');
});

const modules = tcbInfo['tdxModuleIdentities'] as JsonObject[];
test.each<[string, JsonObject, string]>([
	['other model', { fmspc: '000000000000' }, 'of another platform model'],
	['unknown module', { tdxModuleIdentities: [] }, 'does not know the TDX module TDX_01'],
	['other signer', { tdxModuleIdentities: [{ ...modules[0], mrsigner: 'ab'.repeat(48) }] }, "module's mrsigner"],
	['other attributes', { tdxModuleIdentities: [{ ...modules[0], attributes: '01' + '00'.repeat(7) }] }, "module's attributes"]
])('%s is refused', (_, info, reason) => {
	expect(() => judge(info, {})).toThrow(reason);
});

test('what is not what the documents describe is never merely below their levels', () => {
	const below = { tcbLevels: [{ ...(qeIdentity['tcbLevels'] as JsonObject[])[0], tcb: { isvsvn: 65535 } }] };
	expect(() => judge({}, below)).toThrow(BelowLevels);
	expect(() => judge({}, { ...below, mrsigner: '00'.repeat(32) })).toThrow("mrsigner is not the QE identity's");
	expect(() => judge({ tdxModuleIdentities: [] }, below)).toThrow('does not know');
});
