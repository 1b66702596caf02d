"""The release's static pages, from the release folder: nothing in the web server can change them.

Which files there are, and what their entity tags are, stands in the release's manifest, which the launcher compared
with the folder. A file that shrinks has a compressed sibling in `compressed/`, made by the build.
"""

from __future__ import annotations

import json
import mimetypes
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

FRONTEND = "backend/open_webui/frontend/"
#: `/static/`: upstream's own files, and those of the frontend over them, as upstream copies them when it starts.
STATIC = ("backend/open_webui/static/", FRONTEND + "static/")
COMPRESSED = "compressed/"
IMMUTABLE = "/_app/immutable/"
FOREVER = "public, max-age=31536000, immutable"
ASK = "no-cache"  # to be kept, and asked about each time
#: Bigger ones are not kept in memory, and can be had in parts.
SMALL_BYTES = 1024 * 1024
MAX_KEPT_BYTES = 96 * 1024 * 1024
_TYPES = mimetypes.MimeTypes(filenames=())  # Python's own table: no file of this machine has a say
for _ending in (".js", ".mjs"):
    _TYPES.add_type("text/javascript", _ending)  # Python 3.11 has an older name
_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q\s*=\s*(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)", re.IGNORECASE)


@dataclass(frozen=True)
class File:
    """One page's file: where it lies, its size in bytes, and a tag that changes with its content."""

    path: Path
    size: int
    tag: str
    kind: str
    compressed: Path | None = None


class Pages:
    """Answers GET and HEAD for the files of `release`; `modified`: the folder is not what the manifest says."""

    def __init__(self, release: Path, modified: bool = False) -> None:
        listed = json.loads((release / "release.json").read_bytes())["files"]
        digests = {str(each["path"]): (str(each["sha384"]), int(each["size"])) for each in listed}
        salt = f"-{secrets.token_hex(4)}" if modified else ""
        self._files = {path: _file(release, name, digests, salt) for path, name in _places(digests)}
        self._kept: dict[Path, bytes] = {}
        self._kept_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        await self._answer(scope)(scope, receive, send)

    def has(self, scope: Scope) -> bool:
        """Whether a file of that very name is asked for, which is not the page itself."""
        return scope["path"] != "/" and scope["method"] in ("GET", "HEAD") and scope["path"] in self._files

    def start(self) -> bytes:
        """The page from which everything else is loaded; b"" where the release has none."""
        first = self._files.get("/")
        return self._content(first.path) if first else b""

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": "GET, HEAD"})
        path: str = scope["path"]
        if path.endswith("/watch") and (video := _video(scope)):
            return RedirectResponse(f"/?{urlencode({'youtube': video})}", 307)
        file = self._files.get(path)
        if file is None:
            # Every other address is one of the page's own, but what was a script once must not become a page.
            file = None if path.startswith(("/_app/", "/static/")) or path.endswith(".js") else self._files.get("/")
        if file is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        return self._send(file, path, Headers(scope=scope))

    def _send(self, file: File, path: str, asked: Headers) -> Response:
        zipped = file.compressed is not None and _GZIP.search(asked.get("accept-encoding", "")) is not None
        tag = f'"{file.tag}{"-gz" if zipped else ""}"'
        headers = {"ETag": tag, "Cache-Control": FOREVER if path.startswith(IMMUTABLE) else ASK}
        if file.compressed is not None:
            headers["Vary"] = "Accept-Encoding"
        if zipped:
            headers["Content-Encoding"] = "gzip"
        if tag in [each.strip().removeprefix("W/") for each in asked.get("if-none-match", "").split(",")]:
            return Response(None, 304, headers)
        source = file.compressed if zipped and file.compressed else file.path
        if file.size > SMALL_BYTES:
            return FileResponse(source, headers=headers, media_type=file.kind)
        return Response(self._content(source), headers=headers, media_type=file.kind)

    def _content(self, path: Path) -> bytes:
        content = self._kept.get(path)
        if content is None:
            content = path.read_bytes()
            while self._kept and self._kept_bytes + len(content) > MAX_KEPT_BYTES:
                self._kept_bytes -= len(self._kept.pop(next(iter(self._kept))))
            self._kept[path] = content
            self._kept_bytes += len(content)
        return content


def _places(digests: dict[str, tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """Path in the address, and in the release, of everything that is served; of two for one path the last counts."""
    for name in digests:
        if name.startswith(FRONTEND):
            yield "/" + name.removeprefix(FRONTEND), name
    for folder in STATIC:
        for name in digests:
            if name.startswith(folder):
                yield "/static/" + name.removeprefix(folder), name
    if FRONTEND + "index.html" in digests:
        yield "/", FRONTEND + "index.html"


def _file(release: Path, name: str, digests: dict[str, tuple[str, int]], salt: str) -> File:
    digest, size = digests[name]
    zipped = f"{COMPRESSED}{name}.gz"
    kind = _TYPES.guess_type(name)[0] or "application/octet-stream"
    return File(release / name, size, digest[:32] + salt, kind, release / zipped if zipped in digests else None)


def _video(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return parse_qs(query.decode("latin-1")).get("v", [""])[0]
