"""What leaves the browser: a watcher for tests that say that nothing does."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, Request, WebSocket

from tests.browser.ways import SECRET

# What may leave while nothing is verified: the session, evidence, and which folders are open.
HARMLESS = re.compile(r"/(api/v1/(auths/signout|tee/\w+|folders/[\w-]+/update/expanded)|ws/socket\.io/)$")


class Outgoing:
    """Everything that leaves the browser: requests that are no plain reads, and frames of sockets."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[str] = []
        self.sent: list[bytes] = []
        context.on("request", self._request)
        context.on("page", self._page)
        for page in context.pages:
            self._page(page)

    def _request(self, request: Request) -> None:
        self.sent.append(request.url.encode() + b" " + (request.post_data_buffer or b""))
        path = re.sub(r"\?.*", "", request.url)
        if request.method not in ("GET", "HEAD", "OPTIONS", "DELETE") and not HARMLESS.search(path):
            self.requests.append(f"{request.method} {request.url}")

    def _page(self, page: Page) -> None:
        page.on("websocket", self._socket)

    def _socket(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda data: self.sent.append(data.encode() if isinstance(data, str) else data))

    def clear(self) -> None:
        self.requests.clear()
        self.sent.clear()

    def tells(self, secret: str = SECRET) -> list[bytes]:
        """What carries the secret, as it is, in JSON, or in a URL."""
        forms = [secret, secret.replace(" ", "%20"), secret.replace(" ", "+")]
        return [sent for sent in self.sent if any(form.encode() in sent for form in forms)]
