"""Files that people uploaded, sent so that no browser runs them."""

from __future__ import annotations

import mimetypes
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attestation.policies import UPLOAD_POLICY
from fastapi import HTTPException
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.requests import Request

#: What a browser shows without running anything. SVG and HTML are not among them.
INERT = frozenset(
    {
        "application/pdf", "audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm", "audio/x-m4a",
        "audio/x-wav", "image/gif", "image/jpeg", "image/png", "image/webp", "text/plain", "video/mp4", "video/webm",
    }
)  # fmt: skip
#: Recordings that are taken down, and the end of the name under which one is kept: never the uploader's own.
AUDIO = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/ogg": "ogg", "audio/x-m4a": "m4a"}
#: What lies in the cache to be shown in chats; everything else there is the server's own.
SHOWN_CACHE = ("image/generations/", "images/", "functions/", "tools/")


def headers(filename: str, content_type: str | None, *, attachment: bool = False) -> tuple[str, dict[str, str]]:
    """The type and headers with which this file may be sent: inert and inline, or as an attachment of no type."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    inline = kind in INERT and not attachment
    disposition = "inline" if inline else "attachment"
    found = {
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(filename, safe='')}",
        "X-Content-Type-Options": "nosniff",
    }
    if kind != "application/pdf" or not inline:  # viewers have a policy of their own: attestation/policies.py
        found["Content-Security-Policy"] = UPLOAD_POLICY
    return (kind if inline else "application/octet-stream"), found


def file(path: str | Path, filename: str, content_type: str | None, *, attachment: bool = False) -> FileResponse:
    """An uploaded file's answer."""
    kind, found = headers(filename, content_type, attachment=attachment)
    return FileResponse(path, headers=found, media_type=kind)


def html(path: str | Path) -> FileResponse:
    """An HTML file to be looked at in a frame: no script, no origin, nothing from elsewhere."""
    return FileResponse(
        path,
        media_type="text/html",
        headers={"Content-Security-Policy": UPLOAD_POLICY, "X-Content-Type-Options": "nosniff"},
    )


def without_folder(error: object, folder: str | Path) -> str:
    """What an error says, without where the server keeps its data."""
    return str(error).replace(f"{folder}/", "")


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Cache:
    """An ASGI application: the cache's pictures for whoever signed in. `signed_in` raises HTTPException for others."""

    def __init__(self, directory: str | Path, signed_in: Callable[[Request], object]) -> None:
        self._directory = Path(directory).resolve()
        self._signed_in = signed_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(Request(scope, receive))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        try:
            self._signed_in(request)
        except HTTPException as error:
            return JSONResponse({"detail": error.detail}, error.status_code)
        name = request.scope["path"].removeprefix(request.scope.get("root_path", "")).lstrip("/")
        path = (self._directory / name).resolve()
        allowed = path.is_relative_to(self._directory) and path.relative_to(self._directory).as_posix().startswith(
            SHOWN_CACHE
        )
        if request.method not in ("GET", "HEAD") or not allowed or not path.is_file():
            return JSONResponse({"detail": "Not Found"}, 404)
        return file(path, path.name, mimetypes.guess_type(path.name)[0])
