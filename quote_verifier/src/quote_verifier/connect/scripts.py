"""The few lines of script that connect brings along; everything else in the browser is the release's."""

from __future__ import annotations

#: Exchanges the link's secret, which stands behind its `#`, for the page's token.
OPEN = """'use strict';
(async () => {
	const secret = location.hash.slice(1);
	history.replaceState(null, '', location.pathname);
	const say = (sentence) => (document.getElementById('said').textContent = sentence);
	if (!secret) return say('Open the link that quote-verifier connect printed.');
	const answer = await fetch('/connect/open', { method: 'POST', body: secret });
	const said = await answer.json();
	if (!answer.ok) return say(said.detail);
	localStorage.setItem('quote-verifier-connect', said.token);
	location.replace('/');
})();
"""

OPENING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>quote-verifier connect</title>
<p id="said"></p>
<script src="/connect/open.js"></script>
</html>
"""

#: Before all scripts of the release's page: its requests carry the token, and it knows who carries them.
PAGE = """'use strict';
(() => {
	const token = localStorage.getItem('quote-verifier-connect');
	if (!token) return location.replace('/connect');
	window.quoteVerifierConnect = true;
	const ours = (url) => url.host === location.host;
	const send = window.fetch.bind(window);
	window.fetch = (input, init) => {
		const request = input instanceof Request ? input : null;
		if (!ours(new URL(request ? request.url : String(input), document.baseURI))) return send(input, init);
		const headers = new Headers(init?.headers ?? request?.headers);
		headers.set('X-Connect-Token', token);
		return send(input, { ...init, headers });
	};
	const { open } = XMLHttpRequest.prototype;
	XMLHttpRequest.prototype.open = function (method, url, ...rest) {
		open.call(this, method, url, ...(rest.length ? rest : [true]));
		if (ours(new URL(String(url), document.baseURI))) this.setRequestHeader('X-Connect-Token', token);
	};
	window.WebSocket = new Proxy(window.WebSocket, {
		construct(target, [url, protocols]) {
			const mine = ours(new URL(String(url), document.baseURI));
			if (mine) return Reflect.construct(target, [url, [`connect.${token}`]]);
			return Reflect.construct(target, protocols ? [url, protocols] : [url]);
		}
	});
})();
"""
