/**
 * Files of the service that a page shows or hands out: pictures, sounds, films, frames, links. A browser would ask for them
 * outside, so they are fetched through the encrypted channel and shown as blobs of types that run nothing.
 *
 * A blob has the page's origin. So HTML and SVG, which run, are never made one: they are shown as the text that they are.
 */

import { asks, isKnown, leaks, mayAsk, silence } from './asking.js';
import { throughConnect } from './connect.js';
import { belongsInside, channel, isOff } from './inside.js';
import { fetchThrough, requestOf, type Send } from './sealed-fetch.js';

const INERT = new Set([
	'image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp', 'image/x-icon', 'image/vnd.microsoft.icon',
	'audio/mpeg', 'audio/mp4', 'audio/ogg', 'audio/wav', 'audio/x-wav', 'audio/webm', 'audio/flac', 'audio/aac', 'audio/x-m4a',
	'video/mp4', 'video/webm', 'video/ogg', 'video/quicktime',
	'application/pdf', 'text/plain'
]);
const TEXT = /^(text\/|image\/svg|application\/(json|xml|xhtml))/;
const PDF = 'application/pdf';
const PLACES = new Map<string, string>(
	Object.entries({ IMG: 'src', VIDEO: 'src', AUDIO: 'src', SOURCE: 'src', IFRAME: 'src', EMBED: 'src' })
);
const PICTURES = new Set(['IMG', 'VIDEO', 'AUDIO', 'SOURCE']);

/** Files, not pages: what a frame or a link may also lead to. */
const FILE = /^\/(api|cache)\//;

/** As which type a file is shown: its own where that runs nothing; text; or nothing that is shown at all. */
export const inertType = (type: string): string => {
	const [bare = ''] = type.toLowerCase().split(';');
	const own = bare.trim();
	if (INERT.has(own)) return own === 'text/plain' ? 'text/plain;charset=utf-8' : own;
	return TEXT.test(own) ? 'text/plain;charset=utf-8' : 'application/octet-stream';
};

/** Whether files are fetched: sealed, or with the header that `quote-verifier connect` asks for, which no picture brings. */
const isFetched = (): boolean => throughConnect() || !isOff();

const isPicture = ({ host, protocol, pathname, search }: URL): boolean =>
	host === window.location.host && /^https?:$/.test(protocol) && !(isKnown(pathname) && search === '');

/** The address of a file that is to be fetched; null where the browser may ask for it itself. */
const addressOf = (value: string, place = 'A'): URL | null => {
	try {
		const url = new URL(value, document.baseURI);
		const file = PICTURES.has(place) ? isPicture(url) : belongsInside(url) && FILE.test(url.pathname);
		return file && isFetched() ? url : null;
	} catch {
		return null;
	}
};

interface Fetched {
	blob: Blob;
	name: string;
}

const nameIn = (disposition: string | null): string => {
	const encoded = /filename\*=(?:UTF-8)?''([^;]+)/i.exec(disposition ?? '')?.[1];
	try {
		if (encoded) return decodeURIComponent(encoded);
	} catch {
		// a name that is none
	}
	return /filename="?([^";]+)/i.exec(disposition ?? '')?.[1] ?? 'file';
};

/** Fetch the file at `url` as the person who is signed in; null where the browser is to ask for it itself. */
const fetched = async (url: URL, send: Send): Promise<Fetched | null> => {
	const headers = { Authorization: `Bearer ${localStorage.getItem('token') ?? ''}` };
	const open = await channel();
	if (!open && !throughConnect()) return null;
	const response = await (open ? fetchThrough(open, await requestOf(url, { headers }), send) : send(url, { headers }));
	if (!response.ok) throw new Error(`status ${response.status}`);
	const type = inertType(response.headers.get('content-type') ?? '');
	const blob = new Blob([await response.arrayBuffer()], { type });
	return { blob, name: nameIn(response.headers.get('content-disposition')) };
};

/** Which address an element is to show at last, and the blob that it shows. */
const wanted = new WeakMap<Element, string>();
const shownBlob = new WeakMap<Element, string>();

const forget = (element: Element): void => {
	const old = shownBlob.get(element);
	if (old) URL.revokeObjectURL(old);
	shownBlob.delete(element);
};

type SetAttribute = (this: Element, name: string, value: string) => void;

/** The native functions, in front of which `install` stands. */
interface Natives {
	send: Send;
	set: SetAttribute;
	open: typeof window.open;
}

/**
 * A frame shows without an origin and without scripts; but for a PDF, which Chromium shows in no sandbox. Its viewer is the
 * browser's own and runs nothing as this page: what a PDF brings is the viewer's to hold.
 */
const confine = (frame: HTMLIFrameElement, type: string, set: SetAttribute): void => {
	if (type === PDF) frame.removeAttribute('sandbox');
	else set.call(frame, 'sandbox', '');
};

const show = async (element: Element, url: URL, { send, set }: Natives): Promise<void> => {
	forget(element);
	wanted.set(element, url.href);
	const mine = () => wanted.get(element) === url.href;
	try {
		const file = await fetched(url, send);
		if (!mine()) return;
		if (!file) { set.call(element, 'src', url.href); return; }
		if (element instanceof HTMLIFrameElement) confine(element, file.blob.type, set);
		const address = URL.createObjectURL(file.blob);
		shownBlob.set(element, address);
		set.call(element, 'src', address + url.hash);
	} catch {
		if (mine()) element.dispatchEvent(new Event('error'));
	}
};

/** Open or save the file that a link leads to. PDFs are saved: a page of their own would have no sandbox. */
const follow = async (url: URL, natives: Natives): Promise<void> => {
	const file = await fetched(url, natives.send);
	if (!file) { natives.open(url.href, '_blank', 'noopener'); return; }
	const { blob, name } = file;
	const link = document.createElement('a');
	link.href = URL.createObjectURL(blob);
	if (/^(image|audio|video|text)\//.test(blob.type)) Object.assign(link, { target: '_blank', rel: 'noopener' });
	else link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};

/** Elements that show a file, or ask for something else: by attribute, or by property. */
const guardElements = (natives: Natives): void => {
	const { set } = natives;
	const { setAttributeNS } = Element.prototype;
	const silent = (element: Element, name: string, value: string) => leaks(element, name, value, PLACES) && isFetched();
	Element.prototype.setAttribute = function (this: Element, given: string, value: string) {
		const name = given.toLowerCase();
		const url = PLACES.get(this.tagName) === name ? addressOf(String(value), this.tagName) : null;
		if (url) void show(this, url, natives);
		else if (!silent(this, name, String(value))) {
			if (name === 'src') { wanted.delete(this); forget(this); }
			set.call(this, given, value);
		}
	};
	Element.prototype.setAttributeNS = function (this: Element, space: string | null, name: string, value: string) {
		if (!space) this.setAttribute(name, value);
		else if (!silent(this, name.replace(/^.*:/, ''), String(value))) setAttributeNS.call(this, space, name, value);
	};
	guardProperties();
};

/** Properties that stand for an attribute. */
const guardProperties = (): void => {
	const sources = [
		HTMLImageElement, HTMLMediaElement, HTMLSourceElement, HTMLIFrameElement, HTMLEmbedElement, HTMLTrackElement, HTMLInputElement
	];
	const properties = [
		...sources.map(({ prototype }) => ({ prototype, name: 'src' })),
		...[HTMLImageElement, HTMLSourceElement].map(({ prototype }) => ({ prototype, name: 'srcset' })),
		{ prototype: HTMLVideoElement.prototype, name: 'poster' }
	];
	for (const { prototype, name } of properties) {
		const own = Object.getOwnPropertyDescriptor(prototype, name);
		if (!own?.get) continue;
		Object.defineProperty(prototype, name, {
			...own,
			set(this: Element, value: unknown) {
				this.setAttribute(name, String(value));
			}
		});
	}
};

/** What an element's own style asks for, as Svelte and drawings write it. */
const guardStyles = (): void => {
	const { prototype } = CSSStyleDeclaration;
	const { setProperty } = prototype;
	const text = Object.getOwnPropertyDescriptor(prototype, 'cssText')!;
	const silent = (css: unknown) => asks(String(css)) && isFetched();
	prototype.setProperty = function (name, value, priority) {
		if (!silent(value)) setProperty.call(this, name, value, priority);
	};
	Object.defineProperty(prototype, 'cssText', {
		...text,
		set(this: CSSStyleDeclaration, css: unknown) {
			if (!silent(css)) text.set!.call(this, css);
		}
	});
};

/**
 * HTML that is written into the page: its files, and what else it would ask for, are taken out before the browser asks for
 * them. It is parsed once, in a document that loads nothing: to parse it a second time could make something else of it.
 */
const guardHtml = (natives: Natives): void => {
	const own = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML')!;
	const selector = [...PLACES.keys()].map((tag) => `${tag.toLowerCase()}[src]`).join(',');
	const inert = document.implementation.createHTMLDocument('');
	Object.defineProperty(Element.prototype, 'innerHTML', {
		...own,
		set(this: Element, html: unknown) {
			const text = String(html);
			if (!isFetched() || !mayAsk(this.localName + text)) { own.set!.call(this, html); return; }
			if (this.localName === 'style') { own.set!.call(this, asks(text) ? '' : text); return; }
			const template = this instanceof HTMLTemplateElement ? this : null;
			const parsed = template ?? inert.createElementNS(this.namespaceURI, this.localName);
			own.set!.call(parsed, text);
			silence(template?.content ?? parsed, PLACES);
			const files = [...(template?.content ?? parsed).querySelectorAll(selector)].flatMap((element): [Element, URL][] => {
				const url = addressOf(element.getAttribute('src') ?? '', element.tagName);
				if (url) element.removeAttribute('src');
				return url ? [[element, url]] : [];
			});
			if (!template) this.replaceChildren(...parsed.childNodes);
			for (const [element, url] of files) void show(element, url, natives);
		}
	});
};

/** Links and windows that lead to a file. */
const guardLinks = (natives: Natives): void => {
	window.open = (address, target, features) => {
		const url = address ? addressOf(String(address)) : null;
		if (!url) return natives.open(address, target, features);
		follow(url, natives).catch(() => undefined);
		return window;
	};
	const clicked = (event: Event) => {
		const link = (event.target as Element | null)?.closest?.('a[href]');
		const url = link && addressOf(link.getAttribute('href') ?? '');
		if (!url) return;
		event.preventDefault();
		follow(url, natives).catch(() => undefined);
	};
	document.addEventListener('click', clicked, true);
	document.addEventListener('auxclick', clicked, true);
};

/** `new Audio(url)` sets an address that passes neither. */
const guardAudio = (): void => {
	window.Audio = new Proxy(window.Audio, {
		construct: (native, [url]: [unknown?], target: NewableFunction) => {
			const made = Reflect.construct(native, [], target) as HTMLAudioElement;
			if (url !== undefined) made.src = String(url);
			return made;
		}
	});
};

/** Stand between what a page shows and the network; called once, with the browser's own `fetch`. */
export const guardShown = (send: Send): void => {
	const natives = { send, set: Element.prototype.setAttribute, open: window.open.bind(window) };
	guardElements(natives);
	guardStyles();
	guardHtml(natives);
	guardAudio();
	guardLinks(natives);
};
