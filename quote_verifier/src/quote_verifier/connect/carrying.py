"""Requests of this machine's programs and pages, carried through the channel as long as the verdict is good."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from ..sealed_http.binary_http import Fields
from ..sealed_http.exchange import INSTEAD_OF
from ..sealed_http.key_config import KeyConfig
from .errors import StaleKeyError, TunnelError
from .sealed_socket import SealedSocket
from .tunnel import Tunnel, TunnelAnswer
from .watching import Watch

SAME_KEY = (
    "The server is said not to hold the key that its evidence names: "
    "somebody on the way may have answered in its place."
)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Carrier:
    """The channel, and whether words may go there now. What raises CutError sent nothing."""

    tunnel: Tunnel
    watch: Watch

    async def ask(self, method: str, path: str, fields: Fields, body: bytes) -> TunnelAnswer:
        """One request; where the server has a new key, it is verified again and the request is sent again, so that the
        server takes one of the two. Raises CutError, TunnelError."""
        return await self._twice(
            lambda key, more: self.tunnel.request(key, method, path, (*fields, *more), _once(body))
        )

    async def once(self, method: str, path: str, fields: Fields, content: AsyncIterator[bytes]) -> TunnelAnswer:
        """The same with content that can be had once. Raises CutError, TunnelError."""
        key = self.watch.key()
        try:
            return await self.tunnel.request(key, method, path, fields, content)
        except StaleKeyError:
            await self._another(key)
            raise TunnelError("The server has a new key, which was verified meanwhile: send it again.") from None

    async def socket(self, path: str, fields: Fields) -> SealedSocket:
        """A WebSocket. Raises CutError, TunnelError."""
        return await self._twice(lambda key, more: self.tunnel.socket(key, path, (*fields, *more)))

    async def _twice(self, send: Callable[[KeyConfig, Fields], Awaitable[Answer]]) -> Answer:
        key = self.watch.key()
        try:
            return await send(key, ())
        except StaleKeyError as error:
            return await send(await self._another(key), ((INSTEAD_OF, error.refused.hex()),))

    async def _another(self, key: KeyConfig) -> KeyConfig:
        """The key that fresh evidence proves instead of `key`. Raises CutError, TunnelError where it is the same."""
        await self.watch.check(older_than=key)
        if (found := self.watch.key()) == key:
            raise TunnelError(self.watch.cut or SAME_KEY) from None
        return found


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


async def stream(request: web.Request, answer: TunnelAnswer, headers: Mapping[str, str]) -> web.StreamResponse:
    """The answer as it comes; where it breaks off, so does ours: no end of it is made up."""
    response = web.StreamResponse(status=answer.head.status, headers=dict(headers))
    await response.prepare(request)
    try:
        async for piece in answer.content:
            await response.write(piece)
    except TunnelError:
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response
