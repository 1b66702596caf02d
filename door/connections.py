"""Connections of the network, each with a bound on what it may take: time, bytes, and a share of the sockets.

Waiting for a client costs a socket, so a client that does not say what it wants in time loses it, and where all are
taken, the one that has waited longest makes room: thousands that only hold connections keep nobody out for long.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

BACKLOG = 2048
HANDSHAKE_S = 10.0
#: For the head of a request, counted from the connection or from the answer before.
IDLE_S = 20.0
#: Without a byte of a request's body, or without taking a byte of the answer.
STALLED_S = 60.0
MAX_HEAD_BYTES = 64 * 1024
MAX_SOCKETS = 8192
#: Requests that a client may send before it has the answers to those before them.
MOST_AHEAD = 8
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 38\r\n"
    b"connection: close\r\n\r\nThe request's head is over 64 KiB.\r\n\r\n"
)
_CROWDED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 30\r\nconnection: close\r\n\r\n"
_ABORT = "door.abort"


def abort(scope: Scope) -> None:
    """End the request's connection so that nobody takes the answer for a whole one."""
    scope["extensions"][_ABORT]()


class Waiting:
    """The connections of one door, by what they wait for."""

    def __init__(self, most: int) -> None:
        self._most = most
        #: Since when each has owed us a handshake or a head; the oldest first.
        self.idle: dict[Connection | Handshake, float] = {}
        self.busy: set[Connection] = set()
        self.webs = 0  # WebSockets

    def opened(self, connection: Connection | Handshake) -> None:
        """A new one; where it is one too many, the one that has owed us something longest is closed."""
        self.rests(connection)
        if len(self.idle) + len(self.busy) + self.webs > self._most:
            oldest = next(iter(self.idle))
            self.closed(oldest)  # now: it may take a moment to end, and the next one too many is another's turn
            oldest.abort()

    def crowded(self) -> bool:
        """Whether WebSockets, which may live for days, have half of all sockets already."""
        return self.webs >= self._most // 2

    def rests(self, connection: Connection | Handshake) -> None:
        """It owes us a head from now on."""
        self.closed(connection)
        self.idle[connection] = time.monotonic()

    def works(self, connection: Connection) -> None:
        """It has said what it wants."""
        self.idle.pop(connection, None)
        self.busy.add(connection)

    def closed(self, connection: Connection | Handshake) -> None:
        """It is gone."""
        self.idle.pop(connection, None)
        if isinstance(connection, Connection):
            self.busy.discard(connection)

    def sweep(self, now: float) -> None:
        """Close what has let us wait too long."""
        late = [each for each, since in self.idle.items() if now - since > IDLE_S]
        for connection in (*late, *(each for each in tuple(self.busy) if each.stalled(now))):
            connection.abort()

    async def watch(self) -> None:
        """Sweep for as long as the door serves."""
        while True:
            await asyncio.sleep(1)
            self.sweep(time.monotonic())


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with the bounds of this module; `waiting` is set by `serving`, on a class of its own."""

    waiting: Waiting

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._last = time.monotonic()  # when it gave or took something
        self._blocked = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, its TLS handshake done."""
        super().connection_made(transport)
        self.waiting.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.waiting.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head or a body."""
        self._last = time.monotonic()
        in_head = self in self.waiting.idle
        super().data_received(data)
        if in_head and self in self.waiting.idle and not (self.cycle and self.cycle.more_body):
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LONG)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MOST_AHEAD:  # uvicorn reads on after each answer, however many wait already
            self.abort()
            raise ConnectionAbortedError  # ends the reading of what came with it
        super().on_message_begin()
        self.scope["extensions"] = {_ABORT: self.abort}  # type: ignore[dict-item]

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._head_bytes = 0
        self.waiting.works(self)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The answer is through: the next request's head is owed, unless it is here already."""
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self.waiting.rests(self)

    def handle_websocket_upgrade(self) -> None:
        """uvicorn's own protocol for WebSockets takes over; its pings end what is dead."""
        if self.waiting.crowded():
            self.transport.write(_CROWDED)
            self.transport.close()
            return
        self.waiting.closed(self)
        super().handle_websocket_upgrade()
        web = self.transport.get_protocol()
        if web is not self:
            self.waiting.webs += 1
            _when_lost(web, self.waiting)

    def pause_writing(self) -> None:
        """The client takes less than we have."""
        self._blocked, self._last = True, time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It has taken some."""
        self._blocked, self._last = False, time.monotonic()
        super().resume_writing()

    def stalled(self, now: float) -> bool:
        """Whether it is the client that nothing has come from, or gone to, for too long."""
        if now - self._last <= STALLED_S:
            return False
        owes_body = self.cycle is not None and self.cycle.more_body and not self.flow.read_paused
        return self._blocked or owes_body

    def abort(self) -> None:
        """End it with a reset: no end of an answer can be read into that."""
        raw = self.transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _when_lost(protocol: asyncio.BaseProtocol, waiting: Waiting) -> None:
    """Count it out when it ends."""
    lost = protocol.connection_lost

    def connection_lost(error: Exception | None) -> None:
        waiting.webs -= 1
        lost(error)

    protocol.connection_lost = connection_lost  # type: ignore[method-assign, assignment]


class Handshake:
    """A client before its TLS handshake is done: counted and bounded like every connection, which `made` then gives."""

    def __init__(
        self, waiting: Waiting, client: socket.socket, context: ssl.SSLContext | None, made: Callable[[], Connection]
    ) -> None:
        self._client, self._context, self._made = client, context, made
        self._task = asyncio.ensure_future(self._shake())
        self._task.add_done_callback(lambda _: waiting.closed(self))
        waiting.opened(self)

    async def _shake(self) -> None:
        patience = HANDSHAKE_S if self._context else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._made, self._client, ssl=self._context, ssl_handshake_timeout=patience
            )
        except OSError:  # of TLS, too: it is gone, or speaks something else
            self._client.close()
        except asyncio.CancelledError:
            self._client.close()
            raise

    def abort(self) -> None:
        """End it: the handshake fails, and with that its socket is given back."""
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)


async def accept(
    listener: socket.socket,
    waiting: Waiting,
    context: Callable[[], ssl.SSLContext | None],
    made: Callable[[], Connection],
) -> None:
    """Take every client of `listener` for as long as the door serves; `context` is for the next handshake."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    listener.listen(BACKLOG)
    while True:
        try:
            client, _ = await loop.sock_accept(listener)
        except OSError:  # it is gone already, or this process may open no more files: sweeping frees some
            await asyncio.sleep(0.1)
            continue
        Handshake(waiting, client, context(), made)
