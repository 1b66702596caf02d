/** Requests through the encrypted channel: sealed here, opened in the TD, and nothing readable in between. */

import { get } from 'svelte/store';

import { ANSWER_TYPE, DATE_PROBLEM, KEY_PROBLEM, PATH, REQUEST_TYPE } from '../shared/outside.js';
import type { AnswerHead, Fields } from '../channel.js';
import { clause, type Clause } from '../shared/sentence.js';
import { bodyOf } from './bodies.js';
import { channel, ChannelError, renewed, type Channel } from './inside.js';
import { page } from './page.js';
import { state } from './rounds.js';
import { lockedUp } from './state.js';

export type Send = typeof fetch;

export interface Request {
	method: string;
	url: URL;
	headers: Headers;
	content: Blob | null;
	signal?: AbortSignal | null | undefined;
	redirect?: RequestRedirect | undefined;
}

/** The server may hold another key now: nothing opened the request of this name (`nameOf`), or somebody says so. */
class StaleKeyError extends Error {
	constructor(readonly refused: string) {
		super();
	}
}

const BROKEN_OFF = clause('The answer broke off before its end: what came of it is not the whole.');
const UNBELIEVED = clause('The answer cannot be believed: it was changed on its way, or is not of the server that was checked.');
const NULL_BODY = [204, 205, 304];
const REDIRECTS = [301, 302, 303, 307, 308];
const MOST_REDIRECTS = 5;
const PROBLEM_BYTES = 64 * 1024;
/** Of one connection: what has no meaning inside (`binary-http.ts`), and what the browser alone says. */
const LEFT_OUT = /^(connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|content-length|host|cookie|date)$/;

/** What `fetch(input, init)` asks for. */
export const requestOf = async (input: RequestInfo | URL, init: RequestInit | undefined): Promise<Request> => {
	const given = input instanceof globalThis.Request ? input : null;
	const headers = new Headers(init?.headers ?? given?.headers);
	const { content, type } = await bodyOf(init?.body ?? (given?.body ? await given.clone().blob() : null));
	if (type !== null && !headers.has('content-type')) headers.set('content-type', type);
	return {
		method: (init?.method ?? given?.method ?? 'GET').toUpperCase(),
		url: new URL(given ? given.url : String(input), document.baseURI),
		headers,
		content,
		signal: init?.signal ?? given?.signal,
		redirect: init?.redirect ?? given?.redirect
	};
};

const headOf = ({ method, url, headers }: Request, more: Fields) => {
	const fields: Fields = [['date', new Date().toUTCString()], ...more];
	if (!headers.has('accept')) fields.push(['accept', '*/*']);
	for (const [name, value] of headers) if (!LEFT_OUT.test(name)) fields.push([name, value]);
	return { method, authority: window.location.host, path: url.pathname + url.search, fields };
};

/** Something else than a sealed answer came. Anybody on the way can have said it: it decides no more than that. */
const problemOf = async (response: Response, request: string): Promise<Error> => {
	const short = Number(response.headers.get('content-length') ?? 0) <= PROBLEM_BYTES;
	const { type } = ((short && (await response.json().catch(() => null))) || {}) as { type?: unknown };
	if (type === KEY_PROBLEM) return new StaleKeyError(request);
	if (type === DATE_PROBLEM) return new ChannelError(clocksApart(response.headers.get('date')));
	if (response.status === 409)
		return new ChannelError('The server says that this was sent before: somebody on the way may have sent it again.');
	return new ChannelError('The server, or somebody before it, refused what was sent through the encrypted channel ({{status}}).', {
		status: response.status
	});
};

/** How far this device's clock is from the server's, as far as its answer's `date` says so. */
export const clocksApart = (date: string | null): Clause => {
	const apart = (Date.now() - Date.parse(date ?? '')) / 60_000;
	const minutes = Math.abs(Math.round(apart));
	if (!Number.isFinite(apart) || minutes === 0)
		return clause("Nothing was sent: this device's clock is wrong. Set it right and try again.");
	return apart > 0
		? clause("Nothing was sent: this device's clock is {{minutes}} minutes ahead of the server's. Set it right and try again.", { minutes })
		: clause("Nothing was sent: this device's clock is {{minutes}} minutes behind the server's. Set it right and try again.", { minutes });
};

/** Content that errs in the sight of the person where it breaks off: never a short answer. */
const watched = (content: ReadableStream<Uint8Array>, said: (error: unknown) => Clause): ReadableStream<Uint8Array> => {
	const reader = content.getReader();
	return new ReadableStream<Uint8Array>(
		{
			async pull(controller) {
				try {
					const { done, value } = await reader.read();
					if (done) controller.close();
					else controller.enqueue(value);
				} catch (error) {
					page().tell(said(error));
					controller.error(error);
				}
			},
			cancel: (reason) => reader.cancel(reason)
		},
		{ highWaterMark: 0 }
	);
};

const post = async ({ library, key }: Channel, request: Request, send: Send, more: Fields = []) => {
	const said = (error: unknown) => (error instanceof library.TruncatedError ? BROKEN_OFF : UNBELIEVED);
	const exchange = await library.ClientExchange.begin(key, await library.suite());
	const body = await library.sealRequest(exchange, headOf(request, more), request.content, request.signal);
	const response = await send(PATH, {
		method: 'POST',
		headers: { 'Content-Type': REQUEST_TYPE },
		body,
		cache: 'no-store',
		credentials: 'omit',
		redirect: 'error',
		referrerPolicy: 'no-referrer',
		signal: request.signal ?? null
	});
	if (response.status !== 200 || response.headers.get('content-type') !== ANSWER_TYPE || !response.body)
		throw await problemOf(response, library.nameOf(exchange.prefix));
	try {
		const { head, content } = await library.openAnswer(exchange, response.body);
		return { head, content: watched(content, said) };
	} catch (error) {
		throw request.signal?.aborted ? error : new ChannelError(said(error));
	}
};

const responseOf = ({ status, fields }: AnswerHead, content: ReadableStream<Uint8Array>, url: URL): Response => {
	const headers = new Headers();
	for (const [name, value] of fields) headers.append(name, value);
	const response = new Response(NULL_BODY.includes(status) ? null : content, { status, headers });
	Object.defineProperty(response, 'url', { value: url.href });
	return response;
};

/** Where a redirect leads to: this server, inside. */
const redirected = (request: Request, status: number, location: string): Request => {
	const url = new URL(location, request.url);
	if (url.host !== window.location.host) throw new TypeError('A redirect leads out of the encrypted channel.');
	url.protocol = window.location.protocol;
	const asGet = status === 303 || (status < 303 && request.method === 'POST');
	return asGet ? { ...request, url, method: 'GET', content: null } : { ...request, url };
};

const once = async (request: Request, open: Channel, send: Send) => {
	const stale = await post(open, request, send).catch((error: unknown) => {
		if (error instanceof StaleKeyError) return error;
		throw error;
	});
	if (!(stale instanceof StaleKeyError)) return stale;
	// whoever said so may have passed the first one on, or do that now: the server takes one of the two
	return post(await renewed(open), request, send, [[open.library.INSTEAD_OF, stale.refused]]).catch((error: unknown) => {
		throw error instanceof StaleKeyError
			? new ChannelError('The server changed its key twice while this was being sent; try again.')
			: error;
	});
};

/** The answer to `request`, through the channel `open`. Throws ChannelError, and what `fetch` throws. */
export const fetchThrough = async (open: Channel, request: Request, send: Send): Promise<Response> => {
	let asked = request;
	for (let left = MOST_REDIRECTS; ; left--) {
		const { head, content } = await once(asked, open, send);
		const location = head.fields.find(([name]) => name === 'location')?.[1];
		if (!REDIRECTS.includes(head.status) || location === undefined || request.redirect === 'manual')
			return responseOf(head, content, asked.url);
		await content.cancel();
		if (left === 0 || request.redirect === 'error') throw new TypeError('Failed to fetch: too many redirects');
		asked = redirected(asked, head.status, location);
	}
};

/** An answer that says why there is none: upstream shows its `detail`. */
const refusal = (error: ChannelError): Response => {
	if (!lockedUp(get(state))) page().tell(error.clause); // the page itself says that it is locked
	return new Response(JSON.stringify({ detail: page().say(error.clause) }), {
		status: 502,
		headers: { 'Content-Type': 'application/json' }
	});
};

/** The answer through the channel, or to why there is none; null where the request is to leave as it is. */
export const fetchInside = async (request: () => Promise<Request>, send: Send): Promise<Response | null> => {
	try {
		const open = await channel();
		return open && (await fetchThrough(open, await request(), send));
	} catch (error) {
		if (error instanceof ChannelError) return refusal(error);
		throw error;
	}
};
