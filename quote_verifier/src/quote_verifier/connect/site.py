"""The release's pages on this machine, whose every request goes through the channel.

Static files come from the release that the person holds (`pages.py`); what programs answer is asked of the service,
sealed. Pages of other sites reach this port, too: the host must be exactly ours, a foreign origin is refused, and what
is asked of the service needs the token of whoever opened the link (`entry.py`). Cookies go neither way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from urllib.parse import unquote

from aiohttp import web

from ..errors import UsageError
from ..sealed_http.binary_http import Fields
from . import scripts
from .carrying import Carrier, stream
from .entry import TOKEN_HEADER, TOKEN_PROTOCOL, Entry
from .errors import TunnelError
from .pages import Pages, kind
from .policies import EVERYWHERE, PROGRAMS, reach
from .sockets import carry_socket
from .watching import CutError

#: What a page may say to the service, and what the service may say to it.
_SENT = (
    "accept", "accept-language", "authorization", "content-type", "if-modified-since", "if-none-match", "if-range",
    "range", "x-first-administrator",
)  # fmt: skip
_KEPT = (
    "accept-ranges", "cache-control", "content-disposition", "content-range", "content-security-policy", "content-type",
    "etag", "last-modified", "retry-after",
)  # fmt: skip
#: A longer body is not kept to be sent again where the server has a new key.
KEPT_BYTES = 4 * 1024 * 1024
NO_TOKEN = "Open the link that quote-verifier connect printed: this page is not the one that it opened."  # noqa: S105
USED = "This link was used before, or is not the one that was printed last: start quote-verifier connect again."
FOREIGN = "Pages of other sites may not use this port."


class Site:
    """The pages at the names in `hosts` (host and port, as a browser writes them)."""

    def __init__(self, carrier: Carrier, pages: Pages, entry: Entry, hosts: Collection[str]) -> None:
        self._carrier, self._pages, self._entry, self.hosts = carrier, pages, entry, hosts

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request whose Host is one of ours."""
        path = _path(request)
        if _foreign(request):
            return self._said(request, 403, FOREIGN)
        own = await self._own(request, path)
        if own is not None:
            return own
        if not path.startswith(PROGRAMS):
            return await self._file(request, path)
        if not self._entry.admits(_token(request)):
            return self._said(request, 401, NO_TOKEN)
        return await self._carried(request)

    async def _own(self, request: web.Request, path: str) -> web.Response | None:
        """What connect answers itself."""
        if path == "/connect/open" and request.method == "POST":
            token = self._entry.exchange((await request.content.read(256)).decode("utf-8", "replace"))
            if token is None:
                return self._said(request, 403, USED)
            return web.json_response({"token": token}, headers=self._headers(request, "application/json"))
        texts = {
            "/connect": (scripts.OPENING, "text/html"),
            "/connect/open.js": (scripts.OPEN, "text/javascript"),
            "/connect/page.js": (scripts.PAGE, "text/javascript"),
            "/health": ('{"status": true}', "application/json"),
        }
        if path in texts:
            text, kind = texts[path]
            return web.Response(text=text, content_type=kind, headers=self._headers(request, kind))
        told = {"/connect/verdict": self._verdict, "/api/v1/tee/config": self._config}.get(path)
        if told is None:
            return None
        return told(request) if self._entry.admits(_token(request)) else self._said(request, 401, NO_TOKEN)

    def _verdict(self, request: web.Request) -> web.Response:
        """What the person's own verifier found, as its JSON has it: the page's shield shows that."""
        try:
            verdict = self._carrier.watch.verdict()
        except CutError as error:
            return self._said(request, 503, str(error))
        return web.json_response(verdict.as_dict(), headers=self._headers(request, "application/json"))

    def _config(self, request: web.Request) -> web.Response:
        """How the page is to ask: nothing is sealed twice, and nobody is asked whether to send: what is cut is not
        sent."""
        said = {"v": 1, "service": "none", "service_url": None, "service_key": None, "service_origins": []}
        said |= {"gate": "off", "max_age_s": 300, "tee": "tdx", "launch": "measured", "channel": "off"}
        return web.json_response(said, headers=self._headers(request, "application/json"))

    async def _file(self, request: web.Request, path: str) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return self._said(request, 405, "Method Not Allowed")
        file = self._pages.find(path)
        if file is None:
            return self._said(request, 404, "Not Found")
        tag = f'"{file.sha384[:32]}"'
        headers = self._headers(request, kind(file)) | {"cache-control": "no-cache", "etag": tag}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        try:
            content = await asyncio.to_thread(self._pages.served, file)
        except UsageError as error:
            return self._said(request, 502, f"Nothing is shown: {error}.")
        return web.Response(body=content, headers=headers | {"content-type": kind(file)})

    async def _carried(self, request: web.Request) -> web.StreamResponse:
        fields: Fields = tuple((name, request.headers[name]) for name in _SENT if name in request.headers)
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await carry_socket(self._carrier, request, fields)
            length = request.content_length
            if request.can_read_body and (length is None or length > KEPT_BYTES):
                pieces = request.content.iter_chunked(256 * 1024)
                answer = await self._carrier.once(request.method, request.raw_path, fields, pieces)
            else:
                answer = await self._carrier.ask(request.method, request.raw_path, fields, await request.read())
        except CutError as error:
            return self._said(request, 503, f"Nothing was sent. {error}")
        except TunnelError as error:
            return self._said(request, 502, str(error))
        kept = {name: value for name, value in answer.head.fields if name in _KEPT}
        return await stream(request, answer, self._headers(request, kept.get("content-type", "")) | kept)

    def _headers(self, request: web.Request, content_type: str) -> dict[str, str]:
        """What every answer has, names in lower case: one of the service's takes the place of ours."""
        path = _path(request)
        found = {**EVERYWHERE, "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"}
        found["Content-Security-Policy"] = self._pages.policies.of(path, request.headers.get("Host", ""), content_type)
        if connections := reach(path):
            found["Connection-Allowlist"] = connections
        return {name.lower(): value for name, value in found.items()}

    def _said(self, request: web.Request, status: int, sentence: str) -> web.Response:
        return web.json_response(
            {"detail": sentence}, status=status, headers=self._headers(request, "application/json")
        )


def _path(request: web.Request) -> str:
    return unquote(request.raw_path.partition("?")[0])


def _foreign(request: web.Request) -> bool:
    """Whether somebody else's page asks."""
    origin = request.headers.get("Origin")
    own = origin is None or origin == f"http://{request.headers.get('Host', '')}"
    return not own or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


def _token(request: web.Request) -> str:
    spoken = request.headers.get("Sec-WebSocket-Protocol", "")
    if spoken.startswith(TOKEN_PROTOCOL):
        return spoken.removeprefix(TOKEN_PROTOCOL)
    return request.headers.get(TOKEN_HEADER, "")
