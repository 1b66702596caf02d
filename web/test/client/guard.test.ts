/** Where requests leave the page: fetch, XMLHttpRequest, WebSocket and sendBeacon, each in front of a gate of our own. */

import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { english } from '../../src/shared/sentence.js';
import { host } from './standing-in.js';

const SECRET = 'heron 4711';
const CONTENT = '/api/chat/completions';
const gate = vi.hoisted(() => ({ inForce: 'block', open: vi.fn<() => Promise<boolean>>(), named: vi.fn() }));
const distrust = vi.hoisted(() => vi.fn());
const reconnected = vi.hoisted(() => vi.fn());
vi.mock('../../src/client/gate.js', () => ({
	chatNamed: gate.named,
	gateInForce: () => gate.inForce,
	mayLeave: gate.open
}));
/** The channel: not there, unless a test says so. */
const channel = vi.hoisted(() => ({ off: true, fetch: vi.fn<(request: () => Promise<unknown>) => Promise<Response | null>>() }));
vi.mock('../../src/client/inside.js', async (original) => ({ ...(await original<object>()), isOff: () => channel.off }));
vi.mock('../../src/client/sealed-fetch.js', async (original) => ({ ...(await original<object>()), fetchInside: channel.fetch }));
vi.mock('../../src/client/sealed-socket.js', () => ({
	socketClass: () =>
		class Inside extends EventTarget {
			static made: string[] = [];
			sent: unknown[] = [];
			readyState = 1;
			constructor(readonly url: string) {
				super();
			}
			send(data: unknown) {
				this.sent.push(data);
			}
		}
}));
vi.mock('../../src/client/rounds.js', async (original) => ({ ...(await original<object>()), distrust, reconnected }));

class Socket extends EventTarget {
	static OPEN = 1;
	readyState = 1;
	sent: unknown[] = [];
	send(data: unknown) {
		this.sent.push(data);
	}
}
class OldRequest extends EventTarget {
	sent: unknown[] = [];
	status = 200;
	open(..._: unknown[]) {}
	send(body?: unknown) {
		this.sent.push(body);
	}
}
const native = {
	fetch: vi.fn<(input: unknown, init?: unknown) => Promise<Response>>(),
	beacon: vi.fn(() => true)
};
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

let page: ReturnType<typeof host>;

beforeAll(async () => {
	vi.stubGlobal('fetch', native.fetch);
	vi.stubGlobal('XMLHttpRequest', OldRequest);
	vi.stubGlobal('WebSocket', Socket);
	Object.assign(window, { fetch: native.fetch, XMLHttpRequest: OldRequest, WebSocket: Socket });
	Object.assign(navigator, { sendBeacon: native.beacon });
	const { install } = await import('../../src/client/guard.js');
	page = host({ isBackend: (url) => url.port === '8080' });
	install(page);
});
afterAll(() => vi.unstubAllGlobals());
beforeEach(() => {
	vi.clearAllMocks();
	gate.inForce = 'block';
	channel.off = true;
	gate.open.mockResolvedValue(false);
	native.fetch.mockImplementation(() => Promise.resolve(new Response('{}')));
});

const post = (body: unknown = SECRET) => ({ method: 'POST', body }) as RequestInit;

test('fetch: content is refused with an answer that upstream shows, and nothing leaves', async () => {
	for (const [input, init] of [
		[CONTENT, post()],
		[new URL(CONTENT, location.href), post()],
		[new Request(new URL(CONTENT, location.href), post())],
		[new Request(new URL(CONTENT, location.href)), post()],
		[`https://elsewhere.example${CONTENT}`, post()]
	] as [string | URL | Request, RequestInit?][]) {
		const answer = await window.fetch(input, init);
		expect(answer.status).toBe(403);
		expect(((await answer.json()) as { detail: string }).detail).toMatch(/ was not sent: this server is not verified\.$/);
	}
	expect(native.fetch).not.toHaveBeenCalled();
	expect(gate.open).toHaveBeenCalledTimes(5);
});

test('fetch: content leaves as it is once the gate opens, not before', async () => {
	let open: (yes: boolean) => void = () => undefined;
	gate.open.mockReturnValue(new Promise((resolve) => (open = resolve)));
	const init = post();
	const answer = window.fetch(CONTENT, init);
	await settle();
	expect(native.fetch).not.toHaveBeenCalled();
	open(true);
	expect((await answer).status).toBe(200);
	expect(native.fetch.mock.calls).toEqual([[CONTENT, init]]);
});

test('fetch: a setting that was fixed at launch is named, whatever upstream shows of the refusal', async () => {
	gate.open.mockResolvedValue(true);
	const refuse = (detail: unknown) =>
		native.fetch.mockResolvedValue(new Response(JSON.stringify({ detail }), { status: 403 }));
	refuse("A, B were measured at launch and cannot be changed here: set it in the server's environment and restart it.");
	const answer = await window.fetch(CONTENT, post());
	expect(page.tell.mock.calls.map(([sentence]) => english(sentence))).toEqual([
		'Fixed at launch, so it was not changed: A, B.'
	]);
	expect(await answer.json(), 'upstream reads it, too').toHaveProperty('detail');
	refuse('You are not allowed to do that.');
	await window.fetch(CONTENT, post());
	expect(page.tell).toHaveBeenCalledTimes(1);
});

test('fetch: reads, the session and evidence pass without a question', async () => {
	await window.fetch('/api/v1/chats/?page=1');
	await window.fetch('/api/v1/auths/signout', post());
	await window.fetch('/api/v1/tee/quote?nonce=x');
	await window.fetch('http://localhost:8080/api/v1/auths/signout', post());
	expect([gate.open.mock.calls.length, native.fetch.mock.calls.length]).toEqual([0, 4]);
});

test('fetch: the settings are judged by their body, also inside a Request', async () => {
	const url = new URL('/api/v1/users/user/settings/update', location.href);
	const harmless = JSON.stringify({ ui: { widescreenMode: true } });
	await window.fetch(new Request(url, post(harmless)));
	expect(gate.open).not.toHaveBeenCalled();
	expect((await window.fetch(new Request(url, post(JSON.stringify({ ui: { system: SECRET } }))))).status).toBe(403);
});

test.each([
	['/api/v1/chats/new', '{"id": "c-1"}', 200, ['c-1']],
	['/api/v1/chats/c-0/clone', '{"id": "c-1"}', 200, ['c-1']],
	['/api/v1/chats/new', '{"id": 7}', 200, []],
	['/api/v1/chats/new', '<html>', 200, []],
	['/api/v1/chats/new', '{"id": "c-1"}', 500, []],
	['/api/v1/chats/c-0', '{"id": "c-1"}', 200, []]
])('fetch: %s answers %s (%d): the chat is named %j', async (path, body, status, named) => {
	gate.open.mockResolvedValue(true);
	native.fetch.mockResolvedValue(new Response(body, { status }));
	const answer = await window.fetch(path, post());
	expect(await answer.text(), 'the page can still read it').toBe(body);
	expect(gate.named.mock.calls.flat()).toEqual(named);
});

const old = (method: string, url: string | URL, body?: unknown) => {
	const request = new XMLHttpRequest();
	const failed = vi.fn();
	request.addEventListener('error', failed);
	request.open(method, url);
	request.send(body as string);
	return { request, failed, sent: (request as unknown as OldRequest).sent };
};

test('XMLHttpRequest: content is refused as an error, or leaves once the gate opens', async () => {
	const refused = old('POST', CONTENT, SECRET);
	await settle();
	expect([refused.sent, refused.failed.mock.calls.length]).toEqual([[], 1]);
	gate.open.mockResolvedValue(true);
	const sent = old('POST', new URL(CONTENT, location.href), SECRET);
	expect(sent.sent, 'not before the decision').toEqual([]);
	await settle();
	expect([sent.sent, sent.failed.mock.calls.length]).toEqual([[SECRET], 0]);
});

test('XMLHttpRequest: what was never opened counts as content, what is harmless leaves at once', async () => {
	const request = new XMLHttpRequest();
	request.send(SECRET);
	await settle();
	expect((request as unknown as OldRequest).sent).toEqual([]);
	expect(old('POST', '/api/v1/auths/signout', 'x').sent).toEqual(['x']);
	expect(old('POST', '/ws/socket.io/?EIO=4', '40').sent).toEqual(['40']);
	expect(old('POST', '/ws/socket.io/?EIO=4', `42["message","${SECRET}"]`).sent).toEqual([]);
});

test('XMLHttpRequest: a poll of socket.io that fails is a connection that broke', () => {
	const { request } = old('GET', '/ws/socket.io/?EIO=4');
	request.dispatchEvent(new Event('loadend'));
	expect(distrust).not.toHaveBeenCalled();
	const broken = old('GET', '/ws/socket.io/?EIO=4').request;
	Object.assign(broken, { status: 0 });
	broken.dispatchEvent(new Event('loadend'));
	expect(distrust).toHaveBeenCalledTimes(1);
});

const EVENT = `42["message","${SECRET}"]`;
const socket = () => {
	const made = new WebSocket('ws://localhost:3000/ws/socket.io/');
	return { made, sent: (made as unknown as Socket).sent };
};

test('WebSocket: harmless packets leave at once, content waits, and is dropped where the gate stays shut', async () => {
	const { made, sent } = socket();
	made.send(EVENT);
	made.send('2');
	made.send(new Uint8Array([1]));
	expect(sent).toEqual(['2']);
	await settle();
	expect(sent).toEqual(['2']);
	expect(gate.open).toHaveBeenCalledTimes(2);
});

test('WebSocket: content keeps its order, also behind content that still waits', async () => {
	gate.open.mockResolvedValueOnce(true);
	const { made, sent } = socket();
	made.send(`${EVENT} 1`);
	gate.inForce = 'off';
	gate.open.mockResolvedValue(true);
	made.send(`${EVENT} 2`);
	expect(sent, 'no overtaking').toEqual([]);
	await settle();
	expect(sent).toEqual([`${EVENT} 1`, `${EVENT} 2`]);
	made.send(`${EVENT} 3`);
	expect(sent.length, 'the gate is off: at once').toBe(3);
});

test('WebSocket: a socket that closed while its content waited gets none of it', async () => {
	gate.open.mockResolvedValue(true);
	const { made, sent } = socket();
	made.send(EVENT);
	Object.assign(made, { readyState: 3 });
	await settle();
	expect(sent).toEqual([]);
});

test('WebSocket: one that closes makes the verdict old, once any was open', () => {
	const { made } = socket();
	made.dispatchEvent(new Event('close'));
	expect(distrust).not.toHaveBeenCalled();
	made.dispatchEvent(new Event('open'));
	made.dispatchEvent(new Event('close'));
	expect(distrust).toHaveBeenCalledTimes(1);
});

test('sendBeacon: a beacon cannot wait, so it leaves only where no decision is needed', () => {
	for (const [inForce, leaves] of [
		['block', false],
		['warn', false],
		['off', true]
	] as const) {
		gate.inForce = inForce;
		expect(navigator.sendBeacon('/x', SECRET), inForce).toBe(leaves);
	}
	expect(native.beacon.mock.calls).toEqual([['/x', SECRET]]);
});

test('a connection that opens asks whether it is another server\'s now', () => {
	const socket = new window.WebSocket('wss://chat.example');
	socket.dispatchEvent(new Event('open'));
	reconnected.mockClear();
	socket.dispatchEvent(new Event('close'));
	expect(reconnected).not.toHaveBeenCalled();
	const next = new window.WebSocket('wss://chat.example');
	next.dispatchEvent(new Event('open'));
	expect(reconnected).toHaveBeenCalledTimes(1);
	next.dispatchEvent(new Event('open'));
	expect(reconnected, 'nothing broke again').toHaveBeenCalledTimes(1);
	distrust.mockClear();
	window.dispatchEvent(new Event('offline'));
	window.dispatchEvent(new Event('online'));
	expect([distrust.mock.calls.length, reconnected.mock.calls]).toEqual([1, [[true], [true]]]);
});

/** Through the channel: its requests, as `METHOD path`. */
const inside = () => {
	channel.off = false;
	const seen: string[] = [];
	channel.fetch.mockImplementation(async (request) => {
		const { method, url } = (await request()) as { method: string; url: URL };
		seen.push(`${method} ${url.pathname}`);
		return new Response('inside', { status: 201, headers: { 'x-a': 'b' } });
	});
	return seen;
};

test('what may leave goes through the channel, files of the release and evidence beside it, and what is refused nowhere', async () => {
	const seen = inside();
	expect(await (await window.fetch('/api/config')).text()).toBe('inside');
	await window.fetch('/_app/version.json');
	await window.fetch('/api/v1/tee/quote?nonce=x');
	await window.fetch('https://elsewhere.example/', { method: 'GET' });
	expect((await window.fetch(CONTENT, post())).status).toBe(403);
	expect(seen).toEqual(['GET /api/config']);
	expect(native.fetch.mock.calls.map(([url]) => url)).toEqual(['/_app/version.json', '/api/v1/tee/quote?nonce=x', 'https://elsewhere.example/']);
	gate.open.mockResolvedValue(true);
	expect((await window.fetch(CONTENT, post())).status).toBe(201);
	expect(seen).toEqual(['GET /api/config', `POST ${CONTENT}`]);
});

test('where there turns out to be no channel, a request leaves as it is', async () => {
	inside();
	channel.fetch.mockResolvedValue(null);
	await window.fetch('/api/config');
	expect(native.fetch.mock.calls).toEqual([['/api/config', undefined]]);
	const { sent } = old('GET', '/api/config');
	await settle();
	expect(sent).toEqual([undefined]);
});

test('XMLHttpRequest: it is answered through the channel, with all that it tells', async () => {
	const seen = inside();
	gate.open.mockResolvedValue(true);
	const { request, sent } = old('POST', CONTENT, SECRET);
	const events: string[] = [];
	for (const name of ['readystatechange', 'load', 'loadend', 'error'])
		request.addEventListener(name, () => events.push(`${name} ${request.readyState}`));
	await new Promise((resolve) => request.addEventListener('loadend', resolve));
	expect([request.status, request.responseText, request.getResponseHeader('x-a'), sent]).toEqual([201, 'inside', 'b', []]);
	expect(events).toEqual(['readystatechange 2', 'readystatechange 4', 'load 4', 'loadend 4']);
	expect(seen).toEqual([`POST ${CONTENT}`]);
	channel.fetch.mockRejectedValue(new TypeError('Failed to fetch'));
	const broken = old('GET', '/api/config');
	await new Promise((resolve) => broken.request.addEventListener('loadend', resolve));
	expect([broken.failed.mock.calls.length, broken.request.status]).toEqual([1, 0]);
});

test('WebSocket and beacon: through the channel, behind the same gate', async () => {
	const seen = inside();
	const { made, sent } = socket();
	expect((made as unknown as { url: string }).url).toBe('ws://localhost:3000/ws/socket.io/');
	made.send(EVENT);
	made.send('2');
	await settle();
	expect(sent).toEqual(['2']);
	expect(navigator.sendBeacon('/api/x', SECRET)).toBe(false);
	gate.inForce = 'off';
	gate.open.mockResolvedValue(true);
	made.send(EVENT);
	expect(sent).toEqual(['2', EVENT]);
	expect(navigator.sendBeacon('/api/x', SECRET)).toBe(true);
	await settle();
	expect([seen, native.beacon.mock.calls]).toEqual([['POST /api/x'], []]);
});
