/** Origins, compared as text: so only their one serialised form counts. */

/** The URL of `text` where that is an origin in its one serialised form, else null. */
export function parseOrigin(text: unknown): URL | null {
	if (typeof text !== 'string') return null;
	try {
		const url = new URL(text);
		return ['http:', 'https:'].includes(url.protocol) && text === url.origin ? url : null;
	} catch {
		return null;
	}
}
