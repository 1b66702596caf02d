"""Requests through the encrypted channel: sealed here, opened in the TD, and nothing readable in between.

`POST /api/v1/tee/channel` with a sealed request as its body (`sealed_http`), answered by a sealed answer.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import aiohttp

from ..sealed_http.binary_http import END, RESPONSE, Fields, Head, encode_content, encode_head
from ..sealed_http.errors import SealedError, TruncatedError
from ..sealed_http.exchange import RESPONSE_NONCE_SIZE, ClientExchange, name_of
from ..sealed_http.key_config import KeyConfig
from ..sealed_http.outside import ANSWER_TYPE, KEY_PROBLEM, PATH, REQUEST_TYPE
from ..sealed_http.stream import Opened, seal
from .errors import StaleKeyError, TunnelError
from .sealed_socket import SealedSocket, open_socket

__all__ = ["StaleKeyError", "Tunnel", "TunnelAnswer", "TunnelError"]

CONNECT_S = 15.0
PROBLEM_LIMIT = 64 * 1024  # bytes of an answer that is not sealed


@dataclass(frozen=True)
class TunnelAnswer:
    """An answer from inside: its head, and its content as it comes. The iterator raises TunnelError where it breaks
    off: what came before is not the whole."""

    head: Head
    content: AsyncIterator[bytes]


class Tunnel:
    """The channel of the service at `origin`; `session` is an open client session whose TLS is as the user chose."""

    def __init__(self, origin: str, session: aiohttp.ClientSession) -> None:
        self._url, self._authority = origin + PATH, origin.partition("://")[2]
        self._session = session

    async def request(
        self, key: KeyConfig, method: str, path: str, fields: Fields, content: AsyncIterator[bytes]
    ) -> TunnelAnswer:
        """One request, sealed to `key`. Raises TunnelError, StaleKeyError."""
        exchange = _started(key)
        return await self._answer(exchange, _sealed(exchange, self._head(method, path, fields), content))

    async def socket(self, key: KeyConfig, path: str, fields: Fields = ()) -> SealedSocket:
        """A WebSocket, sealed to `key`. Raises TunnelError, StaleKeyError."""
        return await open_socket(self._session, self._url, _started(key), self._head("GET", path, fields))

    def _head(self, method: str, path: str, fields: Fields) -> Head:
        return Head((("date", formatdate(time.time(), usegmt=True)), *fields), method, self._authority, path)

    async def _answer(self, exchange: ClientExchange, body: AsyncIterator[bytes]) -> TunnelAnswer:
        try:
            response = await self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": REQUEST_TYPE},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TunnelError(f"The service cannot be reached: {error or type(error).__name__}.") from None
        if response.status != 200 or response.content_type != ANSWER_TYPE:
            async with response:
                raise await _problem(response, name_of(exchange.prefix))
        reading = _Reading(exchange, response)
        content = reading.content()
        try:
            await reading.begin()
        except TunnelError:
            response.close()
            raise
        assert reading.head is not None  # noqa: S101 -- `begin` ends with one
        return TunnelAnswer(reading.head, content)


def _started(key: KeyConfig) -> ClientExchange:
    try:
        return ClientExchange(key)
    except SealedError as error:
        raise TunnelError(f"The channel cannot be used: {error}.") from None


async def _sealed(exchange: ClientExchange, head: Head, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    request = exchange.request
    yield exchange.prefix + seal(request, encode_head(head))
    async for data in content:
        for chunk in encode_content(data):
            yield seal(request, chunk)
    yield seal(request, END, True)


async def _problem(response: aiohttp.ClientResponse, request: bytes) -> TunnelError:
    """What the outside says instead of a sealed answer. Anybody on the way can have said it: it decides nothing but
    that there is no answer."""
    try:
        found: Any = await response.json(content_type=None) if (response.content_length or 0) < PROBLEM_LIMIT else {}
        kind, title = str(found.get("type")), str(found.get("title"))[:300]
    except (aiohttp.ClientError, ValueError, AttributeError, OSError, TimeoutError):
        kind, title = "", ""
    if kind == KEY_PROBLEM:
        return StaleKeyError("The server holds another channel key now.", request)
    said = f": {title}" if title and title != "None" else ""
    return TunnelError(f"The service, or somebody before it, refused the sealed request (HTTP {response.status}){said}")


class _Reading:
    """A sealed answer that is being read."""

    def __init__(self, exchange: ClientExchange, response: aiohttp.ClientResponse) -> None:
        self._exchange, self._response = exchange, response
        self._opened: Opened | None = None
        self._begin = b""
        self._pieces: list[bytes] = []
        self._ended = False

    @property
    def head(self) -> Head | None:
        return self._opened.head if self._opened else None

    async def begin(self) -> None:
        """Read as far as the head."""
        while self.head is None and not self._ended:
            await self._read()
        if self.head is None:
            raise TunnelError("The sealed answer has no head.")

    async def content(self) -> AsyncIterator[bytes]:
        try:
            while True:
                for piece in self._pieces:
                    yield piece
                self._pieces.clear()
                if self._ended:
                    return
                await self._read()
        finally:
            self._response.close()

    async def _read(self) -> None:
        try:
            data = await self._response.content.readany()
            self._take(data, not data)
        except (aiohttp.ClientError, OSError, TimeoutError, TruncatedError):
            raise TunnelError("The answer broke off before its end: what came of it is not the whole.") from None
        except SealedError as error:
            raise TunnelError(f"The answer cannot be believed: {error}.") from None

    def _take(self, data: bytes, last: bool) -> None:
        if self._opened is None:
            self._begin += data
            if len(self._begin) < RESPONSE_NONCE_SIZE:
                if last:
                    raise TruncatedError("no nonce")
                return
            self._opened = Opened(self._exchange.response(self._begin[:RESPONSE_NONCE_SIZE]), RESPONSE)
            data = self._begin[RESPONSE_NONCE_SIZE:]
        self._pieces += self._opened.feed(data)
        if last:
            self._pieces += self._opened.end()
            self._ended = True
