"""What every answer tells the browser: the policies of `policies.py`, and their companions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .policies import EVERYWHERE, Policies, page_policy, reach, script_hashes
from .settings import load


class SecurityHeaders:
    """ASGI middleware, the outermost: adds the headers to every answer that does not bring a stricter policy itself."""

    def __init__(self, app: ASGIApp, frontend: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> None:
        self._app = app
        page = page_policy(_hashes(Path(frontend) / "index.html"), load(environ).service_origins)
        self._policies = Policies(page, tuple(_hashes(Path(frontend) / "tee" / "python.html")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with the headers added to the start of an answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in EVERYWHERE.items():
                    headers[name] = value
                if "Content-Security-Policy" not in headers:
                    kind = headers.get("content-type", "")
                    headers["Content-Security-Policy"] = self._policies.of(scope["path"], _host(scope), kind)
                if connections := reach(scope["path"]):
                    headers["Connection-Allowlist"] = connections
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _hashes(page: Path) -> list[str]:
    try:
        return script_hashes(page.read_text(encoding="utf-8"))
    except FileNotFoundError:  # an API without pages
        return []


def _host(scope: Scope) -> str:
    """The host, and port, at which the browser asked; "" if it is none."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
