/**
 * What a page has a browser ask for, besides the files whose `src` it fetches itself: pictures of other attributes, of styles and
 * of drawings. Nobody seals that, and its address may carry words, so it is left out.
 */

/**
 * What pages show of the release's files, name by name. Any other address of this server may be of somebody's making (a
 * model's answer), and so carry words.
 */
const NAMES = [
	String.raw`(static/)?(favicon|favicon-dark|splash|splash-dark|user|doge|logo)\.png`,
	String.raw`static/favicon\.(svg|ico)`,
	String.raw`audio/(greeting|notification)\.mp3`,
	String.raw`assets/images/(adam|earth|galaxy|space)\.jpg`,
	String.raw`assets/emojis/[0-9a-f]{4,5}(-[0-9a-f]{4,5}){0,9}\.svg`
];
const PICTURES = `/(${NAMES.join('|')})`;
const PICTURE = new RegExp(`^${PICTURES}$`);

/** Whether an address is that of a file which pages name: a path without a host or a query. */
export const isKnown = (address: string): boolean => PICTURE.test(address);

/** Attributes that name nothing but something to ask for, at once or when somebody clicks. */
const ADDRESSES = new Set([
	'srcset', 'imagesrcset', 'poster', 'background', 'lowsrc', 'attributionsrc', 'srcdoc', 'action', 'formaction', 'ping'
]);
const HREFS = new Set(['href', 'xlink:href']);
/** Where `href` is asked for by a click alone. */
const LINKS = new Set(['a', 'area']);
/** Attributes whose value is a style sheet's. */
const STYLES = new Set([
	'style', 'fill', 'stroke', 'filter', 'mask', 'clip-path', 'cursor', 'marker', 'marker-start', 'marker-mid', 'marker-end'
]);
/** Elements that ask without an address of their own: another page, or what they put into others' attributes. */
const ACTING = 'meta, set, animate';
const HERE = /^\s*(#|data:|blob:)/i;
const OURS = new RegExp(String.raw`url\(\s*(["']?)${PICTURES}\1\s*\)`, 'g');

/** Whether HTML can hold any of it: a name stands there as it is, in whatever way its value is written. */
export const mayAsk = (html: string): boolean =>
	/src|poster|background|href|style|fill|stroke|filter|mask|clip-path|cursor|marker|action|ping|<(meta|set|animate)/i.test(html);

/** A style sheet's text without its escapes, by which a name can be written in other letters. */
const plain = (css: string): string =>
	css.replace(/\\(?:([0-9a-f]{1,6})\s?|(.))/gi, (_, code?: string, letter?: string) =>
		code ? String.fromCodePoint(Math.min(parseInt(code, 16), 0x10ffff)) : (letter ?? '')
	);

/** Whether a style sheet, or a part of one, has something asked for that is not in the page already. */
export const asks = (css: string): boolean =>
	/(url|src|image|image-set)\(|@import/i.test(plain(css).replace(/url\(\s*["']?(#|data:|blob:)/gi, '').replace(OURS, ''));

/** Whether an attribute has something asked for; `src` does not where `sealed` has the element's name (`tagName`). */
export const leaks = (element: Element, name: string, value: string, sealed: ReadonlyMap<string, string>): boolean => {
	if (name === 'src') return !sealed.has(element.tagName);
	if (HREFS.has(name)) return !LINKS.has(element.localName) && !HERE.test(value) && !isKnown(value);
	return ADDRESSES.has(name) || (STYLES.has(name) && asks(value));
};

/** Take out of a part of a page what it would ask for. */
export const silence = (root: ParentNode, sealed: ReadonlyMap<string, string>): void => {
	for (const element of root.querySelectorAll(ACTING)) element.remove();
	for (const element of root.querySelectorAll('*')) {
		for (const attribute of [...element.attributes])
			if (leaks(element, attribute.name, attribute.value, sealed)) element.removeAttributeNode(attribute);
		if (element.localName === 'style' && asks(element.textContent ?? '')) element.textContent = '';
	}
};
