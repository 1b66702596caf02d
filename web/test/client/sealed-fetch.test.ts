// @vitest-environment node
/** `fetch` through the channel, against a server's end of it; and what somebody on the way does to it. */

import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import * as library from '../../src/channel.js';
import type { Evidence } from '../../src/shared/evidence.js';
import { english } from '../../src/shared/sentence.js';
import { ANSWER_TYPE, DATE_PROBLEM, KEY_PROBLEM, PATH, REQUEST_TYPE } from '../../src/shared/outside.js';
import { utf8 } from '../../src/shared/bytes.js';
import { Server, streamOf } from '../channel/helpers.js';
import { host, json } from './standing-in.js';

const open = vi.hoisted(() => ({ channel: vi.fn<() => Promise<unknown>>(), renewed: vi.fn<() => Promise<unknown>>() }));
vi.mock('../../src/client/inside.js', async () => {
	const { Reason } = await import('../../src/shared/sentence.js');
	return { ...open, ChannelError: class ChannelError extends Reason {} };
});

const ORIGIN = 'https://chat.example';
let server: Server;
let page: ReturnType<typeof host>;
let client: typeof import('../../src/client/sealed-fetch.js');
/** What was posted: its bytes, and how. */
const posted: { bytes: Uint8Array; init: RequestInit; url: string }[] = [];
/** What the server answers to an opened request. */
let answers: ((request: Awaited<ReturnType<Server['open']>>) => [status: number, fields: [string, string][], ...bodies: string[]])[];
const sealed = async (bytes: Uint8Array) => {
	const [status, fields, ...bodies] = (answers.length > 1 ? answers.shift()! : answers[0]!)(await server.open(bytes));
	return server.answer(bytes, status, fields, ...bodies.map(utf8));
};
const answerOf = (pieces: Uint8Array[]) => new Response(streamOf(pieces) as BodyInit, { headers: { 'content-type': ANSWER_TYPE } });
const send = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();

beforeAll(async () => {
	vi.stubGlobal('window', { location: new URL(`${ORIGIN}/c/1`) });
	vi.stubGlobal('document', { baseURI: `${ORIGIN}/c/1` });
	server = await Server.begin();
	client = await import('../../src/client/sealed-fetch.js');
	const { attach } = await import('../../src/client/page.js');
	page = host();
	attach(page);
});
beforeEach(() => {
	vi.clearAllMocks();
	posted.length = 0;
	answers = [() => [200, [['content-type', 'text/plain']], 'good', ' day']];
	open.channel.mockResolvedValue({ library, key: server.key, text: 'key' });
	send.mockImplementation(async (url, init) => {
		const bytes = new Uint8Array(await (init.body as Blob).arrayBuffer());
		posted.push({ bytes, init, url });
		return answerOf(await sealed(bytes));
	});
});

const ask = (path: string, init?: RequestInit) => client.fetchInside(() => client.requestOf(path, init), send as unknown as typeof fetch);
const told = () => page.tell.mock.calls.map(([sentence]) => english(sentence));
const detail = async (answer: Response | null) => [answer?.status, ((await answer?.json()) as { detail: string }).detail];

test('a request travels whole: method, path, headers, body; outside there is the channel’s address and nothing else', async () => {
	const headers = { Authorization: 'Bearer secret', 'Content-Type': 'application/json', Cookie: 'a=b' };
	const answer = await ask('/api/chat?q=words', { method: 'post', headers, body: '{"a":1}', credentials: 'include' });
	expect([answer?.status, answer?.headers.get('content-type'), await answer?.text(), answer?.url]).toEqual([
		200, 'text/plain', 'good day', `${ORIGIN}/api/chat?q=words`
	]);
	const [{ bytes, init, url }] = posted as [(typeof posted)[0]];
	const { head, content } = await server.open(bytes);
	expect([head.method, head.authority, head.path, new TextDecoder().decode(content)]).toEqual(['POST', 'chat.example', '/api/chat?q=words', '{"a":1}']);
	const [[date, when], ...fields] = head.fields as [[string, string], ...[string, string][]];
	expect([date, Math.abs(Date.parse(when) - Date.now()) < 60_000]).toEqual(['date', true]);
	expect(fields).toEqual([['accept', '*/*'], ['authorization', 'Bearer secret'], ['content-type', 'application/json']]);
	expect([url, init.method, init.credentials, init.redirect, init.referrerPolicy, init.headers]).toEqual([
		PATH, 'POST', 'omit', 'error', 'no-referrer', { 'Content-Type': REQUEST_TYPE }
	]);
	expect(Buffer.from(bytes).toString('latin1')).not.toMatch(/secret|words|Bearer/);
});

test('a form with a file arrives as a form', async () => {
	const form = new FormData();
	form.append('na"me', 'one\ntwo');
	form.append('file', new File(['words'], 'a "b".txt', { type: 'text/plain' }));
	await ask('/api/v1/files/', { method: 'POST', body: form });
	const { head, content } = await server.open(posted[0]!.bytes);
	const type = head.fields.find(([name]) => name === 'content-type')?.[1] ?? '';
	const read = await new Response(content as BodyInit, { headers: { 'content-type': type } }).formData();
	expect(read.get('na"me')).toBe('one\r\ntwo');
	const file = read.get('file') as File;
	expect([file.name, file.type, await file.text()]).toEqual(['a "b".txt', 'text/plain', 'words']);
});

test.each([
	['parameters', new URLSearchParams({ a: 'b c' }), 'a=b+c', 'application/x-www-form-urlencoded;charset=UTF-8'],
	['a blob', new Blob(['x'], { type: 'audio/wav' }), 'x', 'audio/wav'],
	['bytes', new Uint8Array([120]), 'x', undefined],
	['a stream', new Response('x').body, 'x', undefined],
	['nothing', null, '', undefined]
])('a body of any kind: %s', async (_, body, expected, type) => {
	await ask('/api/a', { method: 'POST', body: body as BodyInit });
	const { head, content } = await server.open(posted[0]!.bytes);
	expect([new TextDecoder().decode(content), head.fields.find(([name]) => name === 'content-type')?.[1]]).toEqual([expected, type]);
});

test('a Request is taken as it is', async () => {
	const request = new Request(`${ORIGIN}/api/a`, { method: 'PUT', headers: { 'x-a': 'b' }, body: 'words' });
	await client.fetchInside(() => client.requestOf(request, undefined), send as unknown as typeof fetch);
	const { head, content } = await server.open(posted[0]!.bytes);
	expect([head.method, head.path, new TextDecoder().decode(content)]).toEqual(['PUT', '/api/a', 'words']);
	expect(head.fields).toContainEqual(['x-a', 'b']);
});

test('answers without a body, and cookies, which nobody is to keep', async () => {
	answers = [() => [204, [['set-cookie', 'token=secret; Path=/']]]];
	const answer = await ask('/api/a');
	expect([answer?.status, await answer?.text(), answer?.body]).toEqual([204, '', null]);
});

test('redirects are followed inside, and out of it not at all', async () => {
	answers = [() => [307, [['location', `${ORIGIN}/api/a/`]]], ({ head, content }) => [200, [], `${head.method} ${head.path} ${content.length}`]];
	expect(await (await ask('/api/a', { method: 'POST', body: 'abc' }))?.text()).toBe('POST /api/a/ 3');
	answers = [() => [303, [['location', '/api/b']]], ({ head, content }) => [200, [], `${head.method} ${head.path} ${content.length}`]];
	expect(await (await ask('/api/a', { method: 'POST', body: 'abc' }))?.text()).toBe('GET /api/b 0');
	answers = [() => [302, [['location', 'https://elsewhere.example/']]]];
	await expect(ask('/api/a')).rejects.toThrow(TypeError);
	answers = [() => [302, [['location', '/api/a']]]];
	await expect(ask('/api/a')).rejects.toThrow(TypeError);
	expect((await ask('/api/a', { redirect: 'manual' }))?.status).toBe(302);
	expect(posted.every(({ url }) => url === PATH)).toBe(true);
});

test('no channel: the request is left to the browser', async () => {
	open.channel.mockResolvedValue(null);
	expect(await ask('/api/a')).toBeNull();
	expect(send).not.toHaveBeenCalled();
});

test('a channel that has to be there and is not: an answer that says so, and nothing leaves', async () => {
	const { ChannelError } = await import('../../src/client/inside.js');
	open.channel.mockRejectedValue(new ChannelError('The encrypted channel could not be loaded.'));
	expect(await detail(await ask('/api/a'))).toEqual([502, 'The encrypted channel could not be loaded.']);
	expect(told()).toEqual(['The encrypted channel could not be loaded.']);
	expect(send).not.toHaveBeenCalled();
});

test('the key is gone: fresh evidence, and one try more', async () => {
	const other = await Server.begin(2);
	const first = send.getMockImplementation()!;
	let refused = new Uint8Array();
	send.mockImplementationOnce(async (_, { body }) => {
		refused = new Uint8Array(await (body as Blob).arrayBuffer());
		return json({ type: KEY_PROBLEM }, 400);
	});
	open.renewed.mockImplementation(() => {
		server = other;
		return Promise.resolve({ library, key: other.key, text: 'other' });
	});
	expect(await (await ask('/api/a', { method: 'POST', body: 'words' }))?.text()).toBe('good day');
	expect(send).toHaveBeenCalledTimes(2);
	const { fields } = (await other.open(posted[0]!.bytes)).head;
	expect(fields, 'the server takes one of the two').toContainEqual(['instead-of', library.nameOf(refused)]);
	expect(library.nameOf(refused)).toMatch(/^[0-9a-f]{16}$/);
	send.mockImplementation(() => Promise.resolve(json({ type: KEY_PROBLEM }, 400)));
	expect(await detail(await ask('/api/a'))).toEqual([502, 'The server changed its key twice while this was being sent; try again.']);
	expect(send).toHaveBeenCalledTimes(4);
	send.mockImplementation(first);
});

test('a request that is said not to open, where the evidence names the same key, is not sent a second time', async () => {
	const { ChannelError } = await import('../../src/client/inside.js');
	open.renewed.mockRejectedValueOnce(new ChannelError('The encrypted channel could not be loaded.'));
	send.mockImplementationOnce(() => Promise.resolve(json({ type: KEY_PROBLEM }, 400)));
	expect(await detail(await ask('/api/a', { method: 'POST', body: 'words' }))).toEqual([502, 'The encrypted channel could not be loaded.']);
	expect(send).toHaveBeenCalledTimes(1);
});

test.each([
	[10, "Nothing was sent: this device's clock is 10 minutes ahead of the server's. Set it right and try again."],
	[-12, "Nothing was sent: this device's clock is 12 minutes behind the server's. Set it right and try again."],
	[null, "Nothing was sent: this device's clock is wrong. Set it right and try again."]
])('the clocks are %s minutes apart', async (minutes, sentence) => {
	const date = minutes === null ? {} : { date: new Date(Date.now() - minutes * 60_000).toUTCString() };
	send.mockImplementation(() => Promise.resolve(json({ type: DATE_PROBLEM }, 400, date as Record<string, string>)));
	expect(await detail(await ask('/api/a'))).toEqual([502, sentence]);
	expect(told()).toEqual([sentence]);
});

test.each([
	['a repeated one', json({ title: 'x' }, 409), 'The server says that this was sent before: somebody on the way may have sent it again.'],
	['one that says anything', json({ detail: 'Good day' }, 200), 'The server, or somebody before it, refused what was sent through the encrypted channel (200).'],
	['a page', new Response('<html>', { status: 502 }), 'The server, or somebody before it, refused what was sent through the encrypted channel (502).'],
	['garbage for an answer', answerOf([new Uint8Array(700).fill(0x40)]), 'The answer cannot be believed: it was changed on its way, or is not of the server that was checked.'],
	['nothing for an answer', answerOf([]), 'The answer broke off before its end: what came of it is not the whole.']
])('instead of an answer there is %s', async (_, answer, sentence) => {
	send.mockImplementation(() => Promise.resolve(answer));
	expect(await detail(await ask('/api/a'))).toEqual([502, sentence]);
	expect(told()).toEqual([sentence]);
});

test('an answer without its end errs, and people are told: it is never a short one', async () => {
	send.mockImplementation(async (_, { body }) => {
		const pieces = await sealed(new Uint8Array(await (body as Blob).arrayBuffer()));
		return answerOf(pieces.slice(0, -1));
	});
	const answer = await ask('/api/a');
	const reader = answer!.body!.getReader();
	expect(new TextDecoder().decode((await reader.read()).value)).toBe('good');
	expect(new TextDecoder().decode((await reader.read()).value)).toBe(' day');
	await expect(reader.read()).rejects.toThrow();
	expect(told()).toEqual(['The answer broke off before its end: what came of it is not the whole.']);
});

test('chunks in another order err, and people are told', async () => {
	send.mockImplementation(async (_, { body }) => {
		const [a, b, c, d] = await sealed(new Uint8Array(await (body as Blob).arrayBuffer()));
		return answerOf([a!, c!, b!, d!]);
	});
	await expect((await ask('/api/a'))!.text()).rejects.toThrow();
	expect(told()).toEqual(['The answer cannot be believed: it was changed on its way, or is not of the server that was checked.']);
});

test('a network that is down, and a request that is given up, err as with fetch', async () => {
	send.mockRejectedValue(new TypeError('Failed to fetch'));
	await expect(ask('/api/a')).rejects.toThrow('Failed to fetch');
	await expect(ask('/api/a', { signal: AbortSignal.abort(), method: 'POST', body: 'x' })).rejects.toThrow(/abort/);
	expect(page.tell).not.toHaveBeenCalled();
});

test('of a service whose data is locked the page says so itself', async () => {
	const { state } = await import('../../src/client/rounds.js');
	const { NOTHING } = await import('../../src/client/state.js');
	const bundle = { v: 1, evidence: { runtime_data: { unlock: 'a key' } } } as unknown as Evidence;
	send.mockImplementation(() => Promise.resolve(json({ detail: 'locked' }, 503)));
	state.set({ ...NOTHING, phase: 'done', bundle });
	expect((await ask('/api/config'))?.status).toBe(502);
	expect(page.tell).not.toHaveBeenCalled();
	state.set(NOTHING);
	expect((await ask('/api/config'))?.status).toBe(502);
	expect(page.tell).toHaveBeenCalledTimes(1);
});
