/** What a model, a document or another person wrote, before it becomes part of the page: links, files and drawings that run nothing. */

import DOMPurify from 'dompurify';

const SCHEMES = /^(?:https?|mailto|tel):/i;
// Browsers drop these from an address before they read its scheme.
const IGNORED = /[\u0000-\u0020\u007f-\u00a0\u00ad\u200b-\u200f\u2028\u2029\u2060\ufeff]/g;
const FILE = /^\s*<iframe\s[^>]*?src="[^"]*\/api\/v1\/files\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/content\/html"/i;

/** The address if following it runs nothing: http, https, mailto, tel, or a place on this page; undefined otherwise. */
export function safeLink(href: unknown): string | undefined {
	if (typeof href !== 'string') return undefined;
	const seen = href.replace(IGNORED, '');
	const scheme = /^[^/?#]*?(?:[:]|&colon;|&#)/i.test(seen);
	return !scheme || SCHEMES.test(seen) ? href : undefined;
}

/** The id (UUID) of the uploaded file that a tool's `<iframe>` in a message shows, or undefined: nothing else of it is used. */
export function fileOf(html: unknown): string | undefined {
	return typeof html === 'string' ? FILE.exec(html)?.[1] : undefined;
}

/** What Markdown became, without what runs: cleaned last, since Markdown makes links out of text that had none. */
export function cleanHtml(html: string): string {
	return DOMPurify.sanitize(html);
}

/** A drawing (a diagram, an SVG of a model's) without scripts, event handlers and links that run something. */
export function cleanSvg(svg: string): string {
	return DOMPurify.sanitize(svg, {
		USE_PROFILES: { html: true, svg: true, svgFilters: true },
		ADD_TAGS: ['foreignObject'], // the labels of diagrams
		HTML_INTEGRATION_POINTS: { foreignobject: true },
		FORBID_TAGS: ['form', 'input', 'button', 'iframe', 'object', 'embed', 'video', 'audio']
	});
}
