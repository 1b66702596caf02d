"""uvicorn with our TLS context, on sockets that the launcher opened, and with bounds on its connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server

from . import connections
from .tls import Certificates

STOPPING_S = 3


def configuration(app: ASGIApp, most: int) -> Config:
    """uvicorn's settings: no log of addresses, nothing compressed, at most `most` connections."""
    return Config(
        app,
        http=type("Connection", (connections.Connection,), {"waiting": connections.Waiting(most)}),
        ws="websockets",
        ws_max_size=16 * 1024 * 1024,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="error",  # what anybody in the network can have written fills no disk
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(connections.IDLE_S),
        timeout_graceful_shutdown=STOPPING_S,
    )


class Door(Server):
    """Serves; with `certificates` it is TLS. `background` runs meanwhile; if it ends, so does the door."""

    def __init__(
        self,
        config: Config,
        certificates: Certificates | None,
        background: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        super().__init__(config)
        self._certificates, self._background = certificates, background
        self._tasks: list[asyncio.Future[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; as uvicorn's own, but for connections that are counted from their first byte."""
        await self.lifespan.startup()
        waiting = self.config.http_protocol_class.waiting  # type: ignore[attr-defined]
        accepting = [connections.accept(each, waiting, self._context, self._connection) for each in sockets or []]
        self.servers = []
        self._tasks = [asyncio.ensure_future(each) for each in (waiting.watch(), *accepting)]
        self._tasks += [asyncio.ensure_future(each()) for each in self._background]
        self.started = True

    async def beside(self, sockets: list[socket.socket]) -> None:
        """Serve until cancelled, in a loop that another door runs: that one also hears the signals."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets)
        try:
            await self.main_loop()
        finally:
            await self.shutdown(sockets)

    def _context(self) -> ssl.SSLContext | None:
        """For the next handshake."""
        return self._certificates.context if self._certificates else None

    def _connection(self) -> Any:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def on_tick(self, counter: int) -> bool:
        """Also end where something in the background did, with what it raised."""
        for task in self._tasks:
            if task.done():
                task.result()
                return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in order."""
        for task in self._tasks:
            task.cancel()
        await super().shutdown(sockets)
