/** Files that a page shows or hands out: fetched through the channel, and shown as what runs nothing. */

import { beforeAll, beforeEach, expect, test, vi } from 'vitest';

const there = vi.hoisted(() => ({ channel: vi.fn<() => Promise<unknown>>(), off: false, local: false, fetch: vi.fn() }));
vi.mock('../../src/client/inside.js', async (original) => ({
	...(await original<object>()),
	channel: there.channel,
	isOff: () => there.off
}));
vi.mock('../../src/client/connect.js', () => ({ throughConnect: () => there.local }));
vi.mock('../../src/client/sealed-fetch.js', () => ({
	fetchThrough: there.fetch,
	requestOf: (url: URL, { headers }: { headers: Record<string, string> }) => Promise.resolve({ url, headers })
}));

const FILE = '/api/v1/files/0e0b9d9e-0000-4000-8000-000000000000/content';
const blobs: Blob[] = [];
const native = vi.fn<(url: URL, init: RequestInit) => Promise<Response>>();
const opened = vi.fn();
const settle = () => new Promise((resolve) => setTimeout(resolve, 10));
let inertType: (type: string) => string;

beforeAll(async () => {
	URL.createObjectURL = (blob) => `blob:http://localhost:3000/${blobs.push(blob as Blob)}`;
	URL.revokeObjectURL = vi.fn();
	window.open = opened;
	const { guardShown, ...rest } = await import('../../src/client/shown.js');
	inertType = rest.inertType;
	guardShown(native as unknown as typeof fetch);
});
beforeEach(() => {
	vi.clearAllMocks();
	blobs.length = 0;
	Object.assign(there, { off: false, local: false });
	localStorage.setItem('token', 'mine');
	there.channel.mockResolvedValue({});
	answer('image/png');
	document.body.innerHTML = '';
});
const answer = (type: string, more: Record<string, string> = {}) =>
	there.fetch.mockImplementation(() => Promise.resolve(new Response('bytes', { headers: { 'content-type': type, ...more } })));

test.each([
	['image/png', 'image/png'],
	['IMAGE/JPEG; x=y', 'image/jpeg'],
	['video/mp4', 'video/mp4'],
	['application/pdf', 'application/pdf'],
	['text/html', 'text/plain;charset=utf-8'],
	['text/html; charset=utf-8', 'text/plain;charset=utf-8'],
	['image/svg+xml', 'text/plain;charset=utf-8'],
	['application/xhtml+xml', 'text/plain;charset=utf-8'],
	['text/xml', 'text/plain;charset=utf-8'],
	['text/javascript', 'text/plain;charset=utf-8'],
	['multipart/x-mixed-replace', 'application/octet-stream'],
	['', 'application/octet-stream']
])('%s is shown as %s', (type, shown) => {
	expect(inertType(type)).toBe(shown);
});

test.each(['img', 'video', 'audio', 'source', 'iframe', 'embed'])('<%s>: by attribute and by property, never outside', async (tag) => {
	const element = document.createElement(tag) as HTMLImageElement;
	element.setAttribute('src', FILE);
	expect(element.getAttribute('src'), 'nothing that a browser would ask for').toBeNull();
	await settle();
	expect(element.getAttribute('src')).toBe('blob:http://localhost:3000/1');
	element.src = `${FILE}?again`;
	await settle();
	expect(element.getAttribute('src')).toBe('blob:http://localhost:3000/2');
	expect(there.fetch.mock.calls.map(([, asked]) => [(asked as { url: URL }).url.search, (asked as { headers: unknown }).headers])).toEqual([
		['', { Authorization: 'Bearer mine' }],
		['?again', { Authorization: 'Bearer mine' }]
	]);
});

test('new Audio(address), too', async () => {
	const audio = new Audio(FILE);
	expect([audio instanceof HTMLAudioElement, audio.getAttribute('src'), new Audio().getAttribute('src')]).toEqual([true, null, null]);
	await settle();
	expect(audio.getAttribute('src')).toBe('blob:http://localhost:3000/1');
	expect(new Audio('/audio/notification.mp3').getAttribute('src')).toBe('/audio/notification.mp3');
});

test.each(['/heron?words', '/c/the%20words', '/static/the-words.png', '/static/favicon.png?words', '/_app/words', '/assets/emojis/words.svg', '/assets/images/words.jpg'])(
	'a picture whose address somebody made up carries no words outside: %s',
	async (address) => {
		const image = document.createElement('img');
		image.src = address;
		document.body.innerHTML = `<p><img src="${address}"></p><video><source src='${address}'></video>`;
		expect([image.getAttribute('src'), document.querySelector('img')?.getAttribute('src')]).toEqual([null, null]);
		await settle();
		expect(there.fetch).toHaveBeenCalledTimes(3);
	}
);

test('a frame has a sandbox before it is shown, but for a PDF, which Chromium would not show in one', async () => {
	const frame = document.createElement('iframe');
	frame.src = `${FILE}#page=3`;
	await settle();
	expect([frame.getAttribute('sandbox'), frame.getAttribute('src')]).toEqual(['', 'blob:http://localhost:3000/1#page=3']);
	answer('application/pdf');
	frame.src = FILE;
	await settle();
	expect([frame.getAttribute('sandbox'), blobs[1]?.type]).toEqual([null, 'application/pdf']);
	answer('text/html');
	frame.src = FILE;
	await settle();
	expect([frame.getAttribute('sandbox'), blobs[2]?.type]).toEqual(['', 'text/plain;charset=utf-8']);
});

test('an address that was exchanged meanwhile is not shown any more', async () => {
	const image = document.createElement('img');
	image.src = FILE;
	image.src = '/static/favicon.png';
	await settle();
	expect(image.getAttribute('src')).toBe('/static/favicon.png');
});

test('what is no file of the service is left to the browser', () => {
	for (const src of ['/static/favicon.png', '/user.png', '/assets/emojis/1f44d-1f3fb.svg', 'data:image/png;base64,AA==', 'blob:http://localhost:3000/9', 'https://elsewhere.example/api/a.png']) {
		const image = document.createElement('img');
		image.setAttribute('src', src);
		expect(image.getAttribute('src')).toBe(src);
	}
	expect(there.fetch).not.toHaveBeenCalled();
});

test('HTML that is written into the page asks for no file outside', async () => {
	document.body.innerHTML = `<p>a<video src="${FILE}" controls></video><img src="/static/favicon.png" alt="b"></p>`;
	expect(document.body.innerHTML).toBe('<p>a<video controls=""></video><img src="/static/favicon.png" alt="b"></p>');
	await settle();
	expect(document.querySelector('video')?.getAttribute('src')).toBe('blob:http://localhost:3000/1');
});

test('HTML asks for nothing but files of its src, nor does a sheet', () => {
	document.body.innerHTML = '<img srcset="/words 1x"><p style="background: url(/words)">a</p>';
	expect(document.body.innerHTML).toBe('<img><p>a</p>');
	const sheet = document.createElement('style');
	sheet.innerHTML = 'p { background: url(/words) }';
	expect(sheet.innerHTML).toBe('');
	sheet.innerHTML = 'p { color: red }';
	expect(sheet.innerHTML).toBe('p { color: red }');
});

/** As upstream shows a model's picture, and its drawings what a model wrote: each way sets something to ask for. */
const WAYS: [string, (value: string) => string | null][] = [
	['an attribute style', (value) => styled((element) => element.setAttribute('style', `background-image: url('${value}')`))],
	['a style of a drawing', (value) => drawn('line', 'style', (element) => element.setAttribute('style', `cursor:url(${value}),auto`))],
	['setProperty', (value) => styled((element) => element.style.setProperty('background-image', `url('${value}')`))],
	['cssText', (value) => styled((element) => (element.style.cssText = `background-image: url('${value}')`))],
	['style', (value) => styled((element) => Object.assign(element, { style: `background-image: url('${value}')` }))],
	['srcset', (value) => made('img', 'srcset', (element) => Object.assign(element, { srcset: `${value} 1x` }))],
	['poster', (value) => made('video', 'poster', (element) => Object.assign(element, { poster: value }))],
	['a track', (value) => made('track', 'src', (element) => Object.assign(element, { src: value }))],
	['a button', (value) => made('input', 'src', (element) => Object.assign(element, { type: 'image', src: value }))],
	['an attribute without a namespace', (value) => made('img', 'srcset', (element) => element.setAttributeNS(null, 'srcset', value))],
	["a drawing's picture", (value) => drawn('image', 'href', (element) => element.setAttribute('href', value))],
	["a drawing's picture, with a namespace", (value) => drawn('use', 'href', (element) => element.setAttributeNS('http://www.w3.org/1999/xlink', 'xlink:href', value))]
];
const made = (tag: string, name: string, by: (element: HTMLElement) => unknown) => {
	const element = document.createElement(tag);
	by(element);
	return element.getAttribute(name);
};
const styled = (by: (element: HTMLElement) => unknown) => made('div', 'style', by);
const drawn = (tag: string, name: string, by: (element: Element) => unknown) => {
	const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
	by(element);
	return element.getAttribute(name) ?? element.getAttributeNS('http://www.w3.org/1999/xlink', name);
};

test.each(WAYS)('%s that names an address of somebody else is not set, but what is in the page is', (_, set) => {
	expect(set('/the-words') ?? '').toBe('');
	there.off = true;
	expect(set('/a-picture')).toContain('/a-picture');
});

test("what pages show by themselves stays: the release's pictures, and what is in the page", () => {
	const inPage = 'background-image: url("/assets/images/adam.jpg");';
	expect(styled((element) => element.style.setProperty('background-image', "url('/assets/images/adam.jpg')"))).toBe(inPage);
	expect(styled((element) => (element.style.cssText = 'color: red;'))).toBe('color: red;');
	expect(drawn('path', 'marker-end', (element) => element.setAttribute('marker-end', 'url(#a)'))).toBe('url(#a)');
	expect(made('link', 'href', (element) => element.setAttribute('href', '/static/favicon.png'))).toBe('/static/favicon.png');
	expect(made('a', 'href', (element) => element.setAttribute('href', '/c/1'))).toBe('/c/1');
});

test('where nothing is sealed, HTML stays as it is', () => {
	there.off = true;
	document.body.innerHTML = '<img srcset="/picture 1x">';
	expect(document.body.innerHTML).toBe('<img srcset="/picture 1x">');
});

test('links and windows: pictures and text are opened, everything else is saved', async () => {
	document.body.innerHTML = `<a href="${FILE}"><b>file</b></a>`;
	const clicked: [string, string, string][] = [];
	const click = HTMLAnchorElement.prototype.click;
	HTMLAnchorElement.prototype.click = function () {
		clicked.push([this.target, this.download, blobs.at(-1)!.type]);
	};
	const event = new MouseEvent('click', { bubbles: true, cancelable: true });
	document.querySelector('b')!.dispatchEvent(event);
	expect(event.defaultPrevented).toBe(true);
	await settle();
	answer('application/pdf', { 'content-disposition': "attachment; filename*=UTF-8''a%20b.pdf" });
	window.open(FILE, '_blank');
	await settle();
	answer('text/html');
	window.open(FILE);
	await settle();
	expect(clicked).toEqual([['_blank', '', 'image/png'], ['', 'a b.pdf', 'application/pdf'], ['_blank', '', 'text/plain;charset=utf-8']]);
	expect(opened).not.toHaveBeenCalled();
	window.open('/static/a', '_blank');
	expect(opened).toHaveBeenCalledTimes(1);
	HTMLAnchorElement.prototype.click = click;
});

test('a file that cannot be had is an error of its element, not a request outside', async () => {
	const image = document.createElement('img');
	const failed = vi.fn();
	image.addEventListener('error', failed);
	there.channel.mockRejectedValue(new Error('no channel'));
	image.src = FILE;
	await settle();
	there.channel.mockResolvedValue({});
	there.fetch.mockResolvedValue(new Response('', { status: 404 }));
	image.src = FILE;
	await settle();
	expect([image.getAttribute('src'), failed.mock.calls.length]).toEqual([null, 2]);
});

test('without a channel the browser asks itself; served by quote-verifier connect, the page does', async () => {
	const image = document.createElement('img');
	there.channel.mockResolvedValue(null);
	image.src = FILE;
	await settle();
	expect(image.getAttribute('src')).toBe(new URL(FILE, location.href).href);
	there.off = true;
	image.setAttribute('src', FILE);
	expect(image.getAttribute('src')).toBe(FILE);
	there.local = true;
	native.mockResolvedValue(new Response('x', { headers: { 'content-type': 'image/png' } }));
	image.setAttribute('src', `${FILE}?b`);
	await settle();
	expect(image.getAttribute('src')).toMatch(/^blob:/);
	expect(native.mock.calls.map(([url, init]) => [url.search, init.headers])).toEqual([['?b', { Authorization: 'Bearer mine' }]]);
});
