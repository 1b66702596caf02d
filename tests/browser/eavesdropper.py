"""Who ends TLS: a proxy that records all that it can read, and tampers with what it cannot."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import ClientSession, WSMsgType, web
from aiohttp import ClientWebSocketResponse as ClientSocket
from multidict import CIMultiDict

from sealed_http.outside import ANSWER_TYPE, PATH
from tests.browser.proxy import HOP_BY_HOP, Proxy

#: Answers of the release's own files, which everybody may read, are left out of the record.
STATIC = ("/_app/", "/static/", "/assets/", "/pyodide/", "/tee/", "/themes/", "/audio/")
#: A sealed request and its sealed answer, and what is passed on instead of the answer: status, type, body.
Attack = Callable[[bytes, bytes], tuple[int, str, bytes]]


class Eavesdropper(Proxy):
    """A proxy that keeps `heard`, all bytes but those of static files, and `requests` (path, body).

    `attack`, where one is set, decides the answer to each sealed request. `frames` changes each WebSocket message of
    the server's; None drops it.
    """

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(upstream, tls)
        self.heard = bytearray()
        self.requests: list[tuple[str, bytes]] = []
        self.attack: Attack | None = None
        self.frames: Callable[[bytes], bytes | None] | None = None

    def tells(self, *words: str) -> list[str]:
        """Those of `words` that were heard."""
        return [word for word in words if word.encode() in self.heard]

    async def _request(self, request: web.Request, session: ClientSession) -> web.StreamResponse:
        body = await request.read() if request.body_exists else b""
        self.heard += f"{request.method} {request.raw_path}\n{dict(request.headers)}\n".encode() + body
        self.requests.append((request.path, body))
        if request.path != PATH or not self.attack:
            return await super()._request(request, session)
        headers = CIMultiDict((name, text) for name, text in request.headers.items() if name.lower() not in HOP_BY_HOP)
        async with session.post(self._target(request), data=body, headers=headers) as upstream:
            status, kind, answer = self.attack(body, await upstream.read())
        return web.Response(status=status, body=answer, headers={"Content-Type": kind, "Cache-Control": "no-store"})

    async def _pass_on(self, request: web.Request, status: int, headers: Any, parts: AsyncIterator[bytes]) -> Any:
        if not request.path.startswith(STATIC) and request.path.count("/") > 1:
            self.heard += f"{status} {dict(headers)}\n".encode()
            parts = self._listening(parts)
        return await super()._pass_on(request, status, headers, parts)

    async def _listening(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in parts:
            self.heard += part
            yield part

    async def _pump(
        self, source: ClientSocket | web.WebSocketResponse, sink: ClientSocket | web.WebSocketResponse
    ) -> None:
        await super()._pump(_Heard(self, source), sink)  # type: ignore[arg-type]


class _Heard:
    """A socket whose messages are recorded, and changed where they are the server's."""

    def __init__(self, listener: Eavesdropper, socket: Any) -> None:
        self._listener, self._socket = listener, socket
        self._servers = isinstance(socket, ClientSocket)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for message in self._socket:
            data = message.data.encode() if isinstance(message.data, str) else message.data
            if isinstance(data, bytes):
                self._listener.heard += data
            change = self._listener.frames
            if not change or not self._servers or message.type is not WSMsgType.BINARY:
                yield message
            elif (changed := change(data)) is not None:
                yield message._replace(data=changed)


def sealed(body: bytes) -> tuple[int, str, bytes]:
    """A sealed answer as the server sends it."""
    return 200, ANSWER_TYPE, body
