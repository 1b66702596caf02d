/** An XMLHttpRequest that is answered through the encrypted channel: its states, events and answers, filled by `fetch`. */

import type { Request } from './sealed-fetch.js';
import { bodyOf } from './bodies.js';

/** What was said before `send`. */
export interface Asked {
	method: string;
	url: URL;
	headers: Headers;
}

/** What `fetch(input, init)` would ask for. */
export const requestOfXhr = async ({ method, url, headers }: Asked, body: unknown, signal: AbortSignal): Promise<Request> => {
	const { content, type } = await bodyOf(body);
	const own = new Headers(headers);
	if (type !== null && !own.has('content-type')) own.set('content-type', type);
	return { method: method.toUpperCase(), url, headers: own, content, signal };
};

const show = (xhr: XMLHttpRequest, values: Record<string, unknown>): void => {
	for (const [name, value] of Object.entries(values)) Object.defineProperty(xhr, name, { value, configurable: true });
};

const progress = (xhr: XMLHttpRequest, type: string, loaded: number): void => {
	xhr.dispatchEvent(new ProgressEvent(type, { loaded, total: loaded, lengthComputable: true }));
};

const valueOf = (type: XMLHttpRequestResponseType, bytes: ArrayBuffer, mime: string): unknown => {
	if (type === 'arraybuffer') return bytes;
	if (type === 'blob') return new Blob([bytes], { type: mime });
	const text = new TextDecoder().decode(bytes);
	if (type !== 'json') return text;
	try {
		return JSON.parse(text) as unknown;
	} catch {
		return null;
	}
};

const finish = (xhr: XMLHttpRequest, type: 'load' | 'error' | 'abort', size = 0): void => {
	show(xhr, { readyState: 4 });
	xhr.dispatchEvent(new Event('readystatechange'));
	progress(xhr, type, size);
	progress(xhr, 'loadend', size);
};

/** Answer `xhr` with what `work` brings; it can be aborted meanwhile. `outside` sends it as it is, where `work` says so. */
export const answerXhr = async (
	xhr: XMLHttpRequest,
	abort: AbortController,
	work: Promise<Response | null>,
	outside: () => void
): Promise<void> => {
	show(xhr, { abort: () => abort.abort() });
	try {
		const response = await work;
		if (!response) {
			Reflect.deleteProperty(xhr, 'abort');
			outside();
			return;
		}
		progress(xhr, 'loadstart', 0);
		await fill(xhr, response);
	} catch {
		show(xhr, { status: 0, statusText: '', response: null, responseText: '' });
		finish(xhr, abort.signal.aborted ? 'abort' : 'error');
	}
};

const fill = async (xhr: XMLHttpRequest, response: Response): Promise<void> => {
	const names = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
	show(xhr, {
		readyState: 2,
		status: response.status,
		statusText: response.statusText,
		responseURL: response.url,
		getResponseHeader: (name: string) => response.headers.get(name),
		getAllResponseHeaders: () => names
	});
	xhr.dispatchEvent(new Event('readystatechange'));
	const bytes = await response.arrayBuffer();
	const value = valueOf(xhr.responseType, bytes, response.headers.get('content-type') ?? '');
	show(xhr, { response: value, responseText: typeof value === 'string' ? value : '' });
	finish(xhr, 'load', bytes.byteLength);
};
