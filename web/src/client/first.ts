/**
 * The first administrator's key, which the launcher's link brings behind a `#` (open_webui/tee/first.py): it goes as a
 * header with what signs people up and in, since what is sealed has no cookies. The tab keeps it until somebody is
 * signed up, as it would keep a cookie: the page is loaded anew more often than people think.
 */

const HEADER = 'X-First-Administrator';
const WAYS = '/api/v1/auths/';
const SIGNED_UP = '/api/v1/auths/signup';
const KEPT = 'tee-first-administrator';

/** What the tab keeps of it; browsers that keep nothing have it for this page alone. */
const store = <T>(use: (storage: Storage) => T): T | null => {
	try {
		return use(window.sessionStorage);
	} catch {
		return null;
	}
};

const fromAddress = (): string | null => {
	const { hash, pathname, search } = window.location;
	const key = new URLSearchParams(hash.slice(1)).get('administrator');
	if (!key) return null;
	window.history.replaceState(window.history.state, '', pathname + search);
	store((storage) => storage.setItem(KEPT, key));
	return key;
};

/** Take the key, if there is one, out of the address, and have requests carry it. Called once, before anything is sent. */
export const bringKey = (): void => {
	const key = fromAddress() ?? store((storage) => storage.getItem(KEPT));
	if (!key) return;
	const { origin } = window.location;
	const send = window.fetch.bind(window);
	window.fetch = async (input, init) => {
		const given = input instanceof Request ? input : null;
		const url = new URL(given ? given.url : String(input), document.baseURI);
		if (url.origin !== origin || !url.pathname.startsWith(WAYS)) return send(input, init);
		const headers = new Headers(init?.headers ?? given?.headers);
		headers.set(HEADER, key);
		const answer = await send(input, { ...init, headers });
		if (answer.ok && url.pathname === SIGNED_UP) store((storage) => storage.removeItem(KEPT));
		return answer;
	};
};
