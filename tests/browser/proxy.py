"""A man in the middle: a reverse proxy that passes a server's own answers on, changed in exactly one thing.

It runs in a thread of its own, between the browser and the server: everything behind it (the page, its worker, the
guard) is what a release ships, everything before it is the running server. Requests, streams and WebSockets pass
through unharmed; only the answers whose path a change names are read whole, changed, and marked as not to be cached.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, WSMsgType, WSServerHandshakeError, web
from aiohttp import ClientWebSocketResponse as ClientSocket
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from simulator.serving import Serving

Document = dict[str, Any]
MAX_BODY = 64 * 1024 * 1024
# RFC 9110, section 7.6.1: what concerns one connection and not the message; `Content-Length` is set anew.
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding")
) | {"upgrade"}
# What would let the server answer "as you have it", or in an encoding that a change cannot read.
CONDITIONS = frozenset(("if-none-match", "if-modified-since", "if-match", "if-range", "range", "accept-encoding"))
STALE = frozenset(("content-length", "content-encoding", "etag", "last-modified", "cache-control"))


@dataclass(frozen=True)
class Answer:
    """An answer as changes see it: the body is decoded, `headers` hold no length and no encoding."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Change = Callable[[Answer], Answer]


def json_change(change: Callable[[Document], Document]) -> Change:
    """A change of a JSON document; answers other than 200 pass unchanged."""

    def changed(answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        return replace(answer, body=json.dumps(change(json.loads(answer.body))).encode())

    return changed


class _Registered:
    """A change, the paths it is for, and how often it was made."""

    def __init__(self, pattern: str, change: Change) -> None:
        self.pattern, self.change, self.used = pattern, change, 0


class Proxy(Serving):
    """A proxy on 127.0.0.1 in front of `upstream` (an http or https URL), from `start` to `stop`, or in a `with`. With
    `tls` it is asked by https."""

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.upstream, self._tls = upstream.rstrip("/"), tls
        self.url = ""
        self.broken: list[str] = []  # changes that raised
        self._changes: list[_Registered] = []
        self._ready, self._failure = threading.Event(), ""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def change(self, path: str, change: Change) -> None:
        """Pass answers at `path` (may hold `*`) on through `change`; a later change gets what an earlier one made."""
        self._changes = [*self._changes, _Registered(path, change)]

    def change_json(self, path: str, change: Callable[[Document], Document]) -> None:
        """The same for a JSON document."""
        self.change(path, json_change(change))

    def reset(self) -> list[str]:
        """Remove every change. What was wrong with them: changes that raised, and paths that nobody asked for."""
        wrong = [*self.broken, *(f"{one.pattern} was never asked for" for one in self._changes if not one.used)]
        self._changes, self.broken = [], []
        return wrong

    def start(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="proxy", daemon=True)
        self._thread.start()
        if not self._ready.wait(10) or self._failure:
            raise RuntimeError(f"the proxy did not start: {self._failure}")
        return self

    def stop(self) -> None:
        if self._thread and self._loop and self._end:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)
            self._thread = None

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        session = ClientSession(
            auto_decompress=False, cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=None, sock_connect=10)
        )

        async def handle(request: web.Request) -> web.StreamResponse:
            socket = request.headers.get("Upgrade", "").lower() == "websocket"
            return await (self._socket if socket else self._request)(request, session)

        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", handle)
        # a browser that goes away ends the server's stream, too
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5, access_log=None)
        async with session:
            try:
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
                self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
                self._ready.set()
                await self._end.wait()
            except OSError as error:
                self._failure = str(error)
                self._ready.set()
            finally:
                await runner.cleanup()

    def _target(self, request: web.Request) -> URL:
        return URL(self.upstream + request.raw_path, encoded=True)

    async def _request(self, request: web.Request, session: ClientSession) -> web.StreamResponse:
        matching = [one for one in self._changes if fnmatchcase(request.path, one.pattern)]
        without = HOP_BY_HOP | (CONDITIONS if matching else frozenset())
        body = await request.read() if request.body_exists else None
        try:
            asked = session.request(
                request.method,
                self._target(request),
                headers=_kept(request.headers, without),
                data=body,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
            async with asked as upstream:
                if matching:
                    headers = {name: text for name, text in upstream.headers.items() if name.lower() not in STALE}
                    return self._changed(matching, Answer(upstream.status, headers, await upstream.read()))
                return await self._pass_on(request, upstream.status, upstream.headers, upstream.content.iter_any())
        except ClientError as error:
            return web.Response(status=502, text=f"The server behind the proxy does not answer: {error}")

    async def _pass_on(
        self, request: web.Request, status: int, headers: CIMultiDictProxy[str], parts: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        return await _passed_on(request, status, headers, parts)

    async def _pump(
        self, source: ClientSocket | web.WebSocketResponse, sink: ClientSocket | web.WebSocketResponse
    ) -> None:
        await _pump(source, sink)

    def _changed(self, changes: Iterable[_Registered], answer: Answer) -> web.StreamResponse:
        for one in changes:
            one.used += 1
            try:
                answer = one.change(answer)
            except Exception as error:
                self.broken.append(f"the change of {one.pattern} failed: {error!r}")
                return web.Response(status=502, text=self.broken[-1])
        headers = _kept(CIMultiDict(answer.headers), HOP_BY_HOP)
        headers["Cache-Control"] = "no-store"
        return web.Response(status=answer.status, headers=headers, body=answer.body)

    async def _socket(self, request: web.Request, session: ClientSession) -> web.StreamResponse:
        offered = [
            name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()
        ]
        headers = _kept(request.headers, HOP_BY_HOP)
        for name in [name for name in headers if name.lower().startswith("sec-websocket-")]:
            del headers[name]
        try:
            upstream = await session.ws_connect(
                self._target(request), headers=headers, protocols=offered, max_msg_size=0, autoping=False
            )
        except WSServerHandshakeError as error:
            return web.Response(status=error.status, text=error.message)
        except ClientError as error:
            return web.Response(status=502, text=f"The server behind the proxy does not answer: {error}")
        async with upstream:
            chosen = [upstream.protocol] if upstream.protocol else []
            page = web.WebSocketResponse(protocols=chosen, max_msg_size=0, autoping=False, compress=False)
            await page.prepare(request)
            await _first_of(self._pump(page, upstream), self._pump(upstream, page))
            await asyncio.gather(upstream.close(), page.close(), return_exceptions=True)
            return page


def _kept(headers: CIMultiDict[str] | CIMultiDictProxy[str], without: frozenset[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, text) for name, text in headers.items() if name.lower() not in without)


async def _passed_on(
    request: web.Request, status: int, headers: CIMultiDictProxy[str], parts: Any
) -> web.StreamResponse:
    """Each part of the body as it comes. A body that breaks off breaks off here, too: it must not look whole."""
    response = web.StreamResponse(status=status, headers=_kept(headers, HOP_BY_HOP))
    await response.prepare(request)
    try:
        async for part in parts:
            await response.write(part)
    except ClientError:
        if request.transport:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


async def _first_of(*works: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(source: ClientSocket | web.WebSocketResponse, sink: ClientSocket | web.WebSocketResponse) -> None:
    """Frames in their order until one side closes; the close code goes on to the other side."""
    async for message in source:
        match message.type:
            case WSMsgType.TEXT:
                await sink.send_str(message.data)
            case WSMsgType.BINARY:
                await sink.send_bytes(message.data)
            case WSMsgType.PING:
                await sink.ping(message.data)
            case WSMsgType.PONG:
                await sink.pong(message.data)
    code = source.close_code or 1006  # as RFC 6455 calls a connection that broke: not to be sent
    await sink.close(code=code if code in (1000, 1001) or 3000 <= code <= 4999 else 1011)
