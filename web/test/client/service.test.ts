/** Attestation services: whom the page asks, what it sends, and what it says where it cannot. */

import { beforeEach, expect, test, vi } from 'vitest';
import type { Memory } from '../../src/client/memory.js';
import { english } from '../../src/shared/sentence.js';
import { CONFIG, json, QUOTE } from './standing-in.js';

const send = vi.fn<(url: string | URL, init: RequestInit) => Promise<Response>>();
// the module takes the browser's own fetch when it is loaded, before the guard stands in front of it
vi.stubGlobal('fetch', send);
const { ALIBABA_URL, chosenService, consult, mayAsk } = await import('../../src/client/service.js');
vi.stubGlobal('fetch', () => Promise.reject(new Error('this is the guarded fetch')));

beforeEach(() => {
	send.mockReset();
});

const memory = (service: Memory['service']) => ({ service }) as Memory;
const proposes = (service: string, url: string | null = null, key: string | null = null) =>
	({ ...CONFIG, service, service_url: url, service_key: key }) as never;

test.each([
	['nobody says anything', memory(null), null, null],
	['the server proposes none', memory(null), proposes('none'), null],
	['the server proposes a kind that nobody knows', memory(null), proposes('mine', 'https://x.example'), null],
	['the server proposes Alibaba', memory(null), proposes('alibaba'), { kind: 'alibaba', url: ALIBABA_URL }],
	[
		'the server proposes Trustee',
		memory(null),
		proposes('trustee', 'https://as.example', 'KEY'),
		{ kind: 'trustee', url: 'https://as.example', key: 'KEY' }
	],
	['the person wants none', memory({ kind: 'none', url: '', key: '' }), proposes('alibaba'), null],
	[
		"the person's own counts, without the server's key",
		memory({ kind: 'trustee', url: 'https://mine.example', key: '' }),
		proposes('trustee', 'https://as.example', 'KEY'),
		{ kind: 'trustee', url: 'https://mine.example' }
	]
])('%s', (_, remembered, config, expected) => expect(chosenService(remembered, config)).toEqual(expected));

test.each([
	['https://as.example/some/path', true],
	['https://as.example:8443', false],
	['http://as.example', false],
	['https://elsewhere.example', false]
])('a page may ask only services that the launch names: %s', (url, expected) =>
	expect(mayAsk(url, CONFIG as never)).toBe(expected)
);

const decode = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
const bodyOf = (call: number) => JSON.parse(String(send.mock.calls[call]![1].body)) as Record<string, never>;
const EVIDENCE = { quote: 'AP8=', aa_eventlog: 'INIT', cc_eventlog: null };

test('Alibaba gets the evidence and nothing else; its keys come from itself', async () => {
	send.mockImplementation((url) => Promise.resolve(String(url).endsWith('.json') ? json({ keys: [] }) : new Response(' token \n')));
	const service = { kind: 'alibaba', url: 'https://attest.example/v1/attestation' } as const;
	expect(await consult(service, QUOTE)).toEqual({
		tokens: [{ service: 'alibaba', url: 'https://attest.example', token: 'token' }],
		choice: { ...service, jwks: { keys: [] } }
	});
	expect(send.mock.calls.map(([url]) => String(url))).toEqual([service.url, 'https://attest.example/jwks.json']);
	expect(send.mock.calls[0]![1]).toMatchObject({ method: 'POST', credentials: 'omit', referrerPolicy: 'no-referrer' });
	const { evidence, ...rest } = bodyOf(0);
	expect([decode(evidence!), rest]).toEqual([EVIDENCE, { tee: 'tdx', policy_ids: [] }]);
});

test.each([null, 'https://attest.cn-beijing.aliyuncs.com', 'https://attest.cn-beijing.aliyuncs.com/'])(
	'Alibaba proposed at %s is asked at its documented path',
	async (url) => {
		send.mockImplementation((asked) => Promise.resolve(String(asked).endsWith('.json') ? json({ keys: [] }) : new Response('t')));
		const { tokens } = await consult(chosenService(memory(null), proposes('alibaba', url))!, QUOTE);
		expect(String(send.mock.calls[0]![0])).toBe('https://attest.cn-beijing.aliyuncs.com/v1/attestation');
		expect(tokens[0]!.url).toBe('https://attest.cn-beijing.aliyuncs.com');
	}
);

test('neither the token nor the keys are waited for longer than eight seconds', async () => {
	const limit = vi.spyOn(AbortSignal, 'timeout');
	send.mockImplementation(() => Promise.resolve(json({ keys: [] })));
	await consult({ kind: 'alibaba', url: 'https://attest.example/x' }, QUOTE);
	expect(limit.mock.calls).toEqual([[8_000], [8_000]]);
	expect(send.mock.calls.map(([, init]) => init.signal)).toEqual(limit.mock.results.map(({ value }) => value as unknown));
});

test('a pinned key is the only one: none is asked for', async () => {
	send.mockResolvedValue(new Response('token'));
	const { choice } = await consult({ kind: 'alibaba', url: 'https://attest.example/x', key: 'PEM' }, QUOTE);
	expect([send.mock.calls.length, choice.jwks]).toEqual([1, undefined]);
});

test.each(['https://as.example', 'https://as.example/', 'https://as.example/attestation'])(
	'Trustee at %s is asked in its newer shape, then in its older',
	async (url) => {
		send.mockResolvedValueOnce(new Response('no such member', { status: 400 })).mockResolvedValue(new Response('token'));
		const { tokens } = await consult({ kind: 'trustee', url }, { ...QUOTE, event_log: '' });
		expect(tokens).toEqual([{ service: 'trustee', url: 'https://as.example', token: 'token' }]);
		expect(send.mock.calls.map(([asked]) => asked)).toEqual(Array(2).fill('https://as.example/attestation'));
		const newer = bodyOf(0)['verification_requests']![0] as Record<string, string>;
		const { policy_ids, ...older } = bodyOf(1);
		expect([older, policy_ids]).toEqual([newer, []]);
		expect(decode(newer['evidence']!)).toEqual({ ...EVIDENCE, aa_eventlog: null });
		expect(newer).toMatchObject({
			tee: 'tdx',
			runtime_data: { structured: { v: 1 } },
			runtime_data_hash_algorithm: 'sha384'
		});
	}
);

test.each<[string, () => Promise<Response>, string]>([
	['a status', () => Promise.resolve(new Response('', { status: 502 })), 'it answered with status 502'],
	['nothing', () => Promise.resolve(new Response(' \n')), 'it answered nothing'],
	['silence', () => Promise.reject(new DOMException('', 'TimeoutError')), 'it did not answer within 8 seconds'],
	[
		'a refused origin, or a broken line',
		() => Promise.reject(new TypeError('Failed to fetch')),
		`it cannot be reached, or does not allow pages of ${location.origin} to ask it (Trustee: --allowed_origin)`
	],
	['anything else', () => Promise.reject(new RangeError('{{odd}}')), '{{odd}}']
])('%s is a problem to be told, and no token', async (_, answer, sentence) => {
	send.mockImplementation(answer);
	const { tokens, choice } = await consult({ kind: 'trustee', url: 'https://as.example', key: 'K' }, QUOTE);
	expect([tokens, english(choice.problem as never), choice.key]).toEqual([[], sentence, 'K']);
});

test('a quote that is no hex is asked about nowhere', async () => {
	const { tokens } = await consult({ kind: 'alibaba', url: 'https://attest.example', key: 'K' }, { ...QUOTE, quote: 'zz' });
	expect([tokens, send.mock.calls.length]).toEqual([[], 0]);
});
