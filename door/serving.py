"""uvicorn with our TLS context, on sockets that the launcher opened, and with bounds on its connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

from starlette.types import ASGIApp
from uvicorn import Config, Server

from . import connections

HANDSHAKE_S = 10.0
STOPPING_S = 3


def configuration(app: ASGIApp, most: int) -> Config:
    """uvicorn's settings: no log of addresses, nothing compressed, at most `most` connections."""
    waiting = connections.Waiting(most)
    return Config(
        app,
        http=type("Connection", (connections.Connection,), {"waiting": waiting}),
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
    """Serves on `listeners`; with `context` it is TLS. `background` runs meanwhile; if it ends, so does the door."""

    def __init__(
        self, config: Config, context: ssl.SSLContext | None, background: Sequence[Callable[[], Awaitable[None]]] = ()
    ) -> None:
        super().__init__(config)
        self._context, self._background = context, background
        self._tasks: list[asyncio.Future[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; as uvicorn's own, but for a bound on the handshake and a context that is swapped while it serves."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        patience = HANDSHAKE_S if self._context else None
        self.servers = [
            await loop.create_server(
                self._connection, sock=each, ssl=self._context, backlog=2048, ssl_handshake_timeout=patience
            )
            for each in sockets or []
        ]
        waiting = self.config.http_protocol_class.waiting  # type: ignore[attr-defined]
        self._tasks = [asyncio.ensure_future(each()) for each in (waiting.watch, *self._background)]
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

    def _connection(self) -> asyncio.Protocol:
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
