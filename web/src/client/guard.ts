/**
 * One guard where requests leave the page: `fetch`, `XMLHttpRequest`, `WebSocket` and `sendBeacon`. What carries
 * content waits for the gate's decision, whichever button, key or script asked for it. What may leave goes through the
 * encrypted channel where there is one (`inside.ts`).
 */

import { clause } from '../shared/sentence.js';
import { kindOf, packetsCarryContent, requestCarriesContent, type Kind } from './content.js';
import { chatNamed, gateInForce, mayLeave } from './gate.js';
import { belongsInside, isOff } from './inside.js';
import { attach, page, type Page } from './page.js';
import { distrust, reconnected } from './rounds.js';
import { fetchInside, requestOf, type Send } from './sealed-fetch.js';
import { socketClass } from './sealed-socket.js';
import { answerXhr, requestOfXhr, type Asked } from './sealed-xhr.js';
import { guardShown } from './shown.js';
import { refusalOf } from './wording.js';

const here = () => window.location.origin;

const ours = (url: URL): string => (page().isBackend(url) ? url.origin : here());

/** The answer to a request that did not leave: upstream shows its `detail`. */
const refused = (kind: Kind) =>
	new Response(JSON.stringify({ detail: page().say(refusalOf(kind)) }), {
		status: 403,
		headers: { 'Content-Type': 'application/json' }
	});

const nameChat = async (url: URL, response: Response) => {
	if (!/^\/api\/v1\/chats\/(new|import|[\w-]+\/clone)$/.test(url.pathname) || !response.ok) return;
	const chat = (await response
		.clone()
		.json()
		.catch(() => null)) as { id?: unknown } | null;
	if (typeof chat?.id === 'string') chatNamed(chat.id);
};

/** A setting that was fixed at launch is refused with a reason, which not every page of upstream's shows. */
const tellLocked = async (response: Response) => {
	if (response.status !== 403) return;
	const answer = (await response
		.clone()
		.json()
		.catch(() => null)) as { detail?: unknown } | null;
	const [, names] = /^(.+) (?:was|were) measured at launch/.exec(String(answer?.detail)) ?? [];
	if (names) page().tell(clause('Fixed at launch, so it was not changed: {{names}}.', { names }));
};

/** `fetch` by the way that a request has to take. */
const sendRightly =
	(send: Send): Send =>
	async (input, init) => {
		const url = new URL(input instanceof Request ? input.url : String(input), document.baseURI);
		const inside = belongsInside(url) && !isOff() ? await fetchInside(() => requestOf(input, init), send) : null;
		return inside ?? send(input, init);
	};

const guardFetch = (native: Send) => {
	const send = sendRightly(native);
	window.fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
		const request = input instanceof Request ? input : null;
		const url = new URL(request ? request.url : String(input), document.baseURI);
		const method = init?.method ?? request?.method ?? 'GET';
		const body = init?.body ?? (request?.body ? await request.clone().text() : undefined);
		if (!requestCarriesContent(method, url, ours(url), body)) return send(input, init);
		const kind = kindOf(url, ours(url));
		if (!(await mayLeave(kind))) return refused(kind);
		const response = await send(input, init);
		await Promise.all([nameChat(url, response), tellLocked(response)]);
		return response;
	};
};

/** Send `xhr` by the way that it has to take. */
const sendXhr = (xhr: XMLHttpRequest, asked: Asked, body: unknown, native: Send, outside: () => void) => {
	if (!belongsInside(asked.url) || isOff()) { outside(); return; }
	const abort = new AbortController();
	if (xhr.timeout > 0) setTimeout(() => abort.abort(), xhr.timeout);
	void answerXhr(xhr, abort, fetchInside(() => requestOfXhr(asked, body, abort.signal), native), outside);
};

const guardXhr = (native: Send) => {
	const { open, send, setRequestHeader } = XMLHttpRequest.prototype;
	const targets = new WeakMap<XMLHttpRequest, Asked>();
	XMLHttpRequest.prototype.open = function (this: XMLHttpRequest, ...args: unknown[]) {
		const [method, url] = args;
		targets.set(this, { method: String(method), url: new URL(String(url), document.baseURI), headers: new Headers() });
		;(open as (...a: unknown[]) => void).apply(this, args);
	};
	XMLHttpRequest.prototype.setRequestHeader = function (this: XMLHttpRequest, name, value) {
		targets.get(this)?.headers.append(name, value);
		setRequestHeader.call(this, name, value);
	};
	XMLHttpRequest.prototype.send = function (this: XMLHttpRequest, body) {
		const target = targets.get(this) ?? { method: 'POST', url: new URL(document.baseURI), headers: new Headers() };
		const { method, url } = target;
		if (url.pathname === '/ws/socket.io/') {
			this.addEventListener('loadend', () => (this.status === 200 ? void reconnected() : distrust()), { once: true });
		}
		const go = () => sendXhr(this, target, body, native, () => send.call(this, body));
		if (!requestCarriesContent(method, url, ours(url), body)) { go(); return; }
		void mayLeave(kindOf(url, ours(url))).then((yes) => (yes ? go() : this.dispatchEvent(new ProgressEvent('error'))));
	};
};

/** Whether no decision is needed at all. A verdict of green needs one: it may be old, or of a server that is gone. */
const settled = () => gateInForce() === 'off';

/** Anything with a WebSocket's `send`: the browser's, and the one through the channel. */
const guardSocket = (prototype: Pick<WebSocket, 'send'>) => {
	const { send } = prototype;
	const queues = new WeakMap<object, Promise<void>>();
	prototype.send = function (this: WebSocket, data) {
		const queue = queues.get(this);
		if (!packetsCarryContent(data) || (settled() && !queue)) { send.call(this, data); return; }
		// content keeps its order behind content that still waits
		const next = (queue ?? Promise.resolve()).then(async () => {
			if ((await mayLeave()) && this.readyState === WebSocket.OPEN) send.call(this, data);
			if (queues.get(this) === next) queues.delete(this);
		});
		queues.set(this, next);
	};
};

/** A beacon cannot wait for a decision, so it leaves only where none is needed. */
const guardBeacon = () => {
	const send = navigator.sendBeacon?.bind(navigator);
	const inside = (url: string | URL, data: BodyInit | null | undefined) => {
		window.fetch(url, { method: 'POST', body: data ?? null }).catch(() => undefined);
		return true;
	};
	if (send)
		navigator.sendBeacon = (url, data) => {
			const within = belongsInside(new URL(String(url), document.baseURI)) && !isOff();
			return settled() && (within ? inside(url, data) : send(url, data));
		};
};

/** A connection that comes back may lead to a restarted, or another, server: judge it before the next message. */
const watchConnections = (Inside: new (url: string, protocols?: string | string[]) => EventTarget) => {
	const Native = window.WebSocket;
	let connected = false;
	let broken = false;
	window.WebSocket = new Proxy(Native, {
		construct(target, args) {
			const within = belongsInside(new URL(String(args[0]), document.baseURI)) && !isOff();
			const socket = Reflect.construct(within ? Inside : target, args) as WebSocket;
			socket.addEventListener('close', () => {
				if (!connected) return;
				broken = true;
				distrust();
			});
			socket.addEventListener('open', () => {
				connected = true;
				if (broken) void reconnected(true);
				broken = false;
			});
			return socket;
		}
	});
	window.addEventListener('offline', distrust);
	window.addEventListener('online', () => void reconnected(true));
};

/** Stand between the page and the network; called once, before the application starts. */
export const install = (host: Page): void => {
	attach(host);
	const native = window.fetch.bind(window);
	const Inside = socketClass(window.WebSocket, WebSocket.prototype.send);
	guardFetch(native);
	guardXhr(native);
	guardSocket(WebSocket.prototype);
	guardSocket(Inside.prototype);
	guardBeacon();
	watchConnections(Inside);
	guardShown(native);
};
