/**
 * The first administrator's key, which the launcher's link brings behind a `#` (open_webui/tee/first.py): it goes as a
 * header with what signs people up and in, since what is sealed has no cookies.
 */

const HEADER = 'X-First-Administrator';
const WAYS = '/api/v1/auths/';

/** Take the key, if there is one, out of the address, and have requests carry it. Called once, before anything is sent. */
export const bringKey = (): void => {
	const { hash, pathname, search, origin } = window.location;
	const key = new URLSearchParams(hash.slice(1)).get('administrator');
	if (!key) return;
	window.history.replaceState(window.history.state, '', pathname + search);
	const send = window.fetch.bind(window);
	window.fetch = (input, init) => {
		const given = input instanceof Request ? input : null;
		const url = new URL(given ? given.url : String(input), document.baseURI);
		if (url.origin !== origin || !url.pathname.startsWith(WAYS)) return send(input, init);
		const headers = new Headers(init?.headers ?? given?.headers);
		headers.set(HEADER, key);
		return send(input, { ...init, headers });
	};
};
