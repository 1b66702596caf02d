"""Passes requests on to the web server's Unix socket and its answers back, as they come, in both directions.

Nothing is kept whole, nothing is compressed, and each request has a connection of its own: there is no old one that may
be closed under it. An answer that the web server does not end is not ended for the client either: it breaks off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path

import aiohttp
from attestation.policies import for_program
from multidict import CIMultiDict
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from .channel.requests import INSIDE
from .connections import abort

log = logging.getLogger("door")

CONNECT_S = 5.0
CHUNK = 256 * 1024
UNREACHABLE = "The web server does not answer: its operator has to start it again."
NO_ANSWER = "The web server ended before it answered; whether the request was carried out is not known."
#: Of one connection only (RFC 9110, 7.6.1), or made anew by the door.
HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade expect".split()
)
#: What a client may not say of itself: the door says it.
FORWARDED = frozenset(
    b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-real-ip x-tee-channel".split()
)
#: uvicorn writes its own, and one policy for each kind of answer is ours (attestation/policies.py).
_OURS = frozenset(b"date server strict-transport-security content-security-policy".split())
_QUIET = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")  # aiohttp would add its own


class ClientGone(Exception):
    """Whoever asked has closed the connection."""


class Upstream:
    """The web server behind the Unix socket at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """The client, made in the running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self.path), limit=0, force_close=True),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_QUIET,
                auto_decompress=False,
                read_bufsize=CHUNK,
            )
        return self._session

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on (ASGI)."""
        exchange = _Exchange(self.session(), scope, receive, send)
        work = asyncio.ensure_future(exchange.run())
        watch = asyncio.ensure_future(exchange.client_gone())
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, watch):
            task.cancel()
            with suppress(asyncio.CancelledError, ClientGone):
                await task


class _Exchange:
    """One request and its answer."""

    def __init__(self, session: aiohttp.ClientSession, scope: Scope, receive: Receive, send: Send) -> None:
        self._session, self._scope, self._receive, self._send = session, scope, receive, send
        self._sent = asyncio.Event()  # the request's body is through: the next message says that the client is gone
        self._started = False

    async def run(self) -> None:
        try:
            await self._pass_on()
        except aiohttp.ClientConnectorError:
            await self._refuse(503, UNREACHABLE)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error.__cause__, ClientGone):
                return
            await self._refuse(502, NO_ANSWER)

    async def client_gone(self) -> None:
        await self._sent.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _pass_on(self) -> None:
        scope = self._scope
        headers = request_headers(scope)
        has_body = "Content-Length" in headers or b"transfer-encoding" in {name for name, _ in scope["headers"]}
        if not has_body:
            await self._receive()
            self._sent.set()
        data = self._body() if has_body else None
        async with self._session.request(
            scope["method"], address(scope), headers=headers, data=data, allow_redirects=False
        ) as answer:
            headers_back = answer_headers(scope["path"], answer.raw_headers)
            start = {"type": "http.response.start", "status": answer.status, "headers": headers_back}
            await self._send(start)
            self._started = True
            async for chunk in answer.content.iter_any():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self) -> AsyncIterator[bytes]:
        while True:
            message: Message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                self._sent.set()
                return

    async def _refuse(self, status: int, sentence: str) -> None:
        """Say why there is no answer; where it has begun, break it off, so that it is not taken for a whole one."""
        if self._started:
            log.warning("The web server ended in the middle of an answer.")
            return abort(self._scope)
        answer = JSONResponse({"detail": sentence}, status, {"Retry-After": "5"} if status == 503 else None)
        with suppress(ClientGone):
            await answer(self._scope, self._receive, self._send)


def address(scope: Scope) -> URL:
    """The request's own target, to the letter."""
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    return URL(f"http://web-server{target.decode('latin-1')}", encoded=True)


def request_headers(scope: Scope) -> CIMultiDict[str]:
    """The request's headers for the web server: who asks, and how, says the door."""
    dropped = HOP | FORWARDED | _named(scope["headers"])
    found: CIMultiDict[str] = CIMultiDict()
    for name, value in scope["headers"]:
        # what reads headers as CGI did (socket.io does) takes x_tee_channel for the same
        if name.lower().replace(b"_", b"-") not in dropped:
            found.add(name.decode("latin-1"), value.decode("latin-1"))
    client = scope.get("client")
    found["X-Forwarded-For"] = str(client[0]) if client else "unknown"
    found["X-Forwarded-Proto"] = "https" if scope["scheme"] in ("https", "wss") else "http"
    if scope.get(INSIDE):
        found["X-Tee-Channel"] = "inside"  # open_webui/tee/sessions.py
    return found


def answer_headers(path: str, raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The answer's headers for the client, with a policy under which no browser runs it as a page."""
    headers = [(name.lower(), value) for name, value in raw]
    dropped = HOP | _OURS | _named(headers)
    policies = [value.decode("latin-1") for name, value in headers if name == b"content-security-policy"]
    kind = next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")
    kept = [(name, value) for name, value in headers if name not in dropped]
    return [*kept, (b"content-security-policy", for_program(policies, kind).encode("latin-1"))]


def _named(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Headers that `Connection` names: they are of one connection, too."""
    return frozenset(
        token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")
    )
