"""The port for plain http: it answers the tokens that the door's own ACME orders put here, and redirects the rest.

Whoever answers a challenge for the name can have a certificate for it, with a key of their own. So no challenge is
ever passed on, neither by a redirect nor to the web server, which runs administrators' Python: `reserved` says which
paths the door keeps for itself on every port (RFC 8555, section 8.3; CA/Browser Forum's baseline requirements,
section 3.2.2.4.18).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PREFIX = "/.well-known/acme-challenge/"
RESERVED = (PREFIX.rstrip("/"), "/.well-known/pki-validation")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def reserved(path: str) -> bool:
    """Whether a CA could ask this (decoded) path who controls the name: only the door itself may answer it."""
    return any(path == each or path.startswith(each + "/") for each in RESERVED)


class PlainHttp:
    """The ASGI application of the plain port. `origin` is the https origin that people are sent to."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._answers: dict[str, bytes] = {}

    def put(self, token: str, authorisation: str) -> None:
        """Answer the challenge `token` with its key authorisation from now on (both base64url texts)."""
        self._answers[PREFIX + token] = authorisation.encode("ascii")

    def remove(self, token: str) -> None:
        """Answer it no longer."""
        self._answers.pop(PREFIX + token, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "use wss"})
            return
        status, headers, body = self._answer(scope)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        path, method = scope["path"], scope["method"]
        plain = (b"content-type", b"text/plain; charset=utf-8")
        if method not in ("GET", "HEAD"):
            body = f"What is sent here is sent in the clear. Use {self._origin}.\n".encode()
            return 403, [plain, _length(body)], body
        if reserved(path):
            answer = self._answers.get(path)
            body = b"Not a challenge of this server.\n" if answer is None else answer
            kind = plain if answer is None else (b"content-type", b"application/octet-stream")
            return (404 if answer is None else 200), [kind, _length(body)], body
        return 308, [(b"location", self._location(scope)), _length(b"")], b""

    def _location(self, scope: Scope) -> bytes:
        """The same path and query at the origin. A target that is no path would change the host: it is dropped."""
        target, query = bytes(scope.get("raw_path") or b""), bytes(scope.get("query_string") or b"")
        target = target.partition(b"?")[0]
        if not target.startswith(b"/") or any(not 0x21 <= byte <= 0x7E for byte in target + query):
            target, query = b"/", b""
        return self._origin.encode("ascii") + target + (b"?" + query if query else b"")


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
