/**
 * What HTML has a browser ask for as it is shown, besides the files whose `src` the page fetches itself: pictures of other
 * attributes, of style sheets and of drawings. Nobody seals that, and its address may carry words, so it is left out.
 */

/** Attributes that name nothing but something to ask for. */
const ADDRESSES = new Set(['srcset', 'imagesrcset', 'poster', 'background', 'lowsrc']);
const HREFS = new Set(['href', 'xlink:href']);
/** Where `href` is asked for by a click alone. */
const LINKS = new Set(['a', 'area']);
/** Attributes whose value is a style sheet's. */
const STYLES = new Set([
	'style', 'fill', 'stroke', 'filter', 'mask', 'clip-path', 'cursor', 'marker', 'marker-start', 'marker-mid', 'marker-end'
]);
const HERE = /^\s*(#|data:|blob:)/i;

/** Whether HTML can hold any of it: a name stands there as it is, in whatever way its value is written. */
export const mayAsk = (html: string): boolean => /src|poster|background|href|style|fill|stroke|filter|mask|clip-path|cursor|marker/i.test(html);

/** A style sheet's text without its escapes, by which a name can be written in other letters. */
const plain = (css: string): string =>
	css.replace(/\\(?:([0-9a-f]{1,6})\s?|(.))/gi, (_, code?: string, letter?: string) =>
		code ? String.fromCodePoint(Math.min(parseInt(code, 16), 0x10ffff)) : (letter ?? '')
	);

/** Whether a style sheet, or a part of one, has something asked for that is not in the page already. */
export const asks = (css: string): boolean =>
	/(url|src|image|image-set)\(|@import/i.test(plain(css).replace(/url\(\s*["']?(#|data:|blob:)/gi, ''));

/** Take out of a part of a page what it would ask for; `src` stays where `sealed` has the element's name (`tagName`). */
export const silence = (root: ParentNode, sealed: ReadonlyMap<string, string>): void => {
	const leaks = (element: Element, { name, value }: Attr): boolean => {
		if (name === 'src') return !sealed.has(element.tagName);
		if (HREFS.has(name)) return !LINKS.has(element.localName) && !HERE.test(value);
		return ADDRESSES.has(name) || (STYLES.has(name) && asks(value));
	};
	for (const element of root.querySelectorAll('*')) {
		for (const attribute of [...element.attributes])
			if (leaks(element, attribute)) element.removeAttributeNode(attribute);
		if (element.localName === 'style' && asks(element.textContent ?? '')) element.textContent = '';
	}
};
