import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWTHeaderParameters } from 'jose';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { parseQuote } from '../src/verifier/quote.js';
import { english } from '../src/shared/sentence.js';
import { checkServices } from '../src/verifier/service-token.js';
import type { ServiceChoice } from '../src/verifier/service-choice.js';
import type { JsonObject } from '../src/shared/strict-json.js';
import { goodBundle } from './helpers.js';

const bundle = goodBundle();
const quote = parseQuote(bundle.evidence['quote'] as string);
const now = new Date('2025-07-01T12:00:00Z');
const seconds = now.getTime() / 1000;
const url = 'https://trustee.example/attestation';
const body = Object.fromEntries(
	['report_data', 'mr_td', 'rtmr_0', 'rtmr_1', 'rtmr_2', 'rtmr_3', 'mr_seam', 'td_attributes', 'xfam'].map((field) => [
		field,
		quote[field as 'mr_td']
	])
);
const ear = (status = 'affirming', claims: JsonObject = body): JsonObject => ({
	iat: seconds - 10,
	exp: seconds + 290,
	submods: { cpu0: { 'ear.status': status, 'ear.veraison.annotated-evidence': { tdx: { quote: { body: claims } } } } }
});

const keys = await generateKeyPair('ES256', { extractable: true });
const stranger = await generateKeyPair('ES256', { extractable: true });
const pem = await exportSPKI(keys.publicKey);

async function sign(
	payload: JsonObject,
	key: CryptoKey = keys.privateKey,
	header: Partial<JWTHeaderParameters> = {}
): Promise<string> {
	return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', ...header }).sign(key);
}

async function judge(token: string | null, choice: Partial<ServiceChoice> = { key: pem }) {
	const tokens = token === null ? [] : [{ service: 'trustee', url, token }];
	const chosen: ServiceChoice = { kind: 'trustee', url, ...choice };
	return (await checkServices({ ...bundle, service_tokens: tokens }, quote, [chosen], [], now)).outcome;
}

afterEach(() => void vi.unstubAllGlobals());

describe('a pinned key', () => {
	test('as PEM or as a JWK', async () => {
		const token = await sign(ear());
		expect((await judge(token)).status).toBe('pass');
		expect((await judge(token, { key: JSON.stringify(await exportJWK(keys.publicKey)) })).status).toBe('pass');
	});

	test('counts, and the key in the token does not', async () => {
		const header = { jwk: await exportJWK(stranger.publicKey) } as JWTHeaderParameters;
		const outcome = await judge(await sign(ear(), stranger.privateKey, header));
		expect([outcome.status, english(outcome.params!.reason!)]).toEqual(['fail', 'its signature is wrong']);
	});

	test.each(['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'a key', '{"kty": "oct", "k": "AAAA"}'])(
		'that is none is said: %j',
		async (key) => {
			const outcome = await judge(await sign(ear()), { key });
			expect([outcome.status, english(outcome.params!.reason!)]).toEqual([
				'fail',
				'the pinned key is no public key for ES256'
			]);
		}
	);
});

test('what the token says about another quote is named', async () => {
	const outcome = await judge(await sign(ear('affirming', { ...body, rtmr_2: 'ab'.repeat(48) })));
	expect(outcome).toMatchObject({
		status: 'fail',
		params: { field: 'rtmr_2', actual: 'ab'.repeat(48), expected: quote.rtmr_2 }
	});
});

test.each([
	['affirming', 'pass'],
	['warning', 'warn'],
	['contraindicated', 'fail'],
	['none', 'fail']
])('status %s: %s', async (status, expected) => {
	expect((await judge(await sign(ear(status)))).status).toBe(expected);
});

test('a service that could not be asked is a failure that says why', async () => {
	const outcome = await judge(null, { problem: 'it did not answer within 10 s' });
	expect([outcome.status, english(outcome.params!.reason!)]).toEqual(['fail', 'it did not answer within 10 s']);
});

test('a service without its token is a failure', async () => expect((await judge(null)).status).toBe('fail'));

test('without a key nothing can be checked', async () =>
	expect((await judge(await sign(ear()), {})).status).toBe('fail'));

test('without WebCrypto a token cannot be checked, and is not believed', async () => {
	const token = await sign(ear());
	vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
	expect(await judge(token)).toMatchObject({ status: 'fail', key: 'tee.check.service.token.nowebcrypto' });
});

test('a service that the policy requires must be chosen and asked', async () => {
	const ask = (choices: ServiceChoice[]) => checkServices(bundle, quote, choices, ['trustee'], now);
	expect((await ask([])).outcome.status).toBe('fail');
	expect((await ask([{ kind: 'trustee', url, problem: 'no answer' }])).outcome.status).toBe('fail');
});
