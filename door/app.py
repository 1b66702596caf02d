"""What the door answers itself, and what it passes on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import ip_address

from attestation.headers import SecurityHeaders
from attestation.policies import PROGRAMS
from attestation.router import make
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from data_unlock.outside import PATH as UNLOCK
from sealed_http.outside import PATH as CHANNEL

from . import locked, sockets
from .challenges import reserved
from .channel import required
from .channel import sockets as sealed_sockets
from .channel.keys import Keys
from .channel.requests import Ends, answer, refuse
from .channel.required import ADMINISTRATOR, ATTESTATION, HEALTH
from .config import Config
from .locking import Lock
from .pages import FRONTEND, Pages
from .proxy import UNREACHABLE, Upstream

NO_CHANNEL = "This service has no encrypted channel: it was started with TEE_CHANNEL=off."
HSTS = "max-age=31536000"


class App:
    """The door's application (ASGI) for `config`; `environ` holds what attestation needs."""

    def __init__(
        self, config: Config, environ: Mapping[str, str], channel: Keys | None, lock: Lock | None = None
    ) -> None:
        self._lock, self._required = lock, config.channel == "require"
        self._channel = Ends(self, channel, channel.taken) if channel else None
        self.upstream = Upstream(config.web_socket)
        self._pages = Pages(config.release, environ.get("TEE_LAUNCH") == "modified")
        api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        api.include_router(make(environ), prefix=ATTESTATION)
        self._attestation = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        path: str = scope["path"]
        if self._lock and not self._lock.open and not self._of_the_locked(path):
            await locked.answer(self._lock, self._pages, scope, receive, send)
        elif path == CHANNEL:
            await self._sealed(scope, receive, send)
        elif self._required and (sentence := required.refusal(scope)):
            await refuse(403, sentence, scope, receive, send)
        elif scope["type"] == "websocket":
            await sockets.pass_on(self.upstream, scope, receive, send)
        elif reserved(path):
            await JSONResponse({"detail": "Not Found"}, 404)(scope, receive, send)
        elif path == HEALTH:
            await self._health()(scope, receive, send)
        elif path.startswith(f"{ATTESTATION}/") and path != ADMINISTRATOR:
            await self._attestation(scope, receive, send)
        elif path.startswith(PROGRAMS):
            await self.upstream(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    async def _sealed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What came through the channel, which brings it here again once it is open."""
        if self._channel is None:
            await refuse(404, NO_CHANNEL, scope, receive, send)
        else:
            way = sealed_sockets.pass_on if scope["type"] == "websocket" else answer
            await way(self._channel, scope, receive, send)

    @staticmethod
    def _of_the_locked(path: str) -> bool:
        """What a service is asked while its data is locked: what it is, and what CAs ask."""
        attested = path.startswith(f"{ATTESTATION}/") and path not in (ADMINISTRATOR, CHANNEL, UNLOCK)
        return attested or reserved(path)

    def _health(self) -> JSONResponse:
        """Whether the web server's process is there. The kernel says so, however busy its Python is."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self.upstream.path))
            except BlockingIOError:  # its queue is full
                pass
            except OSError:
                return JSONResponse({"status": False, "detail": UNREACHABLE}, 503, {"Cache-Control": "no-store"})
        return JSONResponse({"status": True}, headers={"Cache-Control": "no-store"})


class StrictTransport:
    """Middleware: a browser that was here by TLS comes back by TLS only (RFC 6797)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header, but not for names of the visitor's own machine, where other programs serve, too."""

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Strict-Transport-Security"] = HSTS
            await send(message)

        tls = scope["type"] == "http" and scope["scheme"] == "https" and not _own(Headers(scope=scope).get("host", ""))
        await self._app(scope, receive, send_with_header if tls else send)


def _own(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def build(config: Config, environ: Mapping[str, str], channel: Keys | None, lock: Lock | None = None) -> ASGIApp:
    """The application with all that is around it."""
    app: ASGIApp = App(config, environ, channel, lock)
    app = SecurityHeaders(app, frontend=config.release / FRONTEND, environ=environ)
    app = StrictTransport(app)
    if config.trusted:
        app = ProxyHeadersMiddleware(app, trusted_hosts=list(config.trusted))  # type: ignore[arg-type,assignment]
    return app
