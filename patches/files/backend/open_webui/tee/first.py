"""Who becomes the first administrator: upstream makes it whoever signs up first, from wherever.

Where a server is reached from other machines, the launcher draws a key (`TEE_FIRST_SIGNUP`) and prints a link with it.
The link leaves a cookie in the browser of whoever opens it, and gives the key to the page behind a #, which sends it as
a header where what it sends is sealed; until there is a user, nobody signs up or in without one of the two. With the
first user the key has done its work.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

LINK = "/api/v1/tee/administrator"
COOKIE = "first_administrator"
HEADER = b"x-first-administrator"
#: What creates users: sign-up, sign-in (without passwords, by a trusted header, LDAP) and OAuth.
GUARDED = ("/api/v1/auths", "/oauth")
REFUSED = (
    "This server has no administrator yet, and only the link that its launcher printed makes one: open that link first."
)
MISSING = "This is not the link that the launcher printed when it was started last."
DONE = "This server has its administrator already: sign in."

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def install(app: Any) -> None:
    """Guard `app` (FastAPI) if the launcher drew a key."""
    if os.environ.get("TEE_FIRST_SIGNUP"):
        app.add_middleware(FirstAdministrator, key=os.environ["TEE_FIRST_SIGNUP"], users=_users)


def _users() -> int:
    from open_webui.models.users import Users

    return int(Users.get_num_users() or 0)


class FirstAdministrator:
    """ASGI middleware; `users` counts the users, and is not asked any more once there was one."""

    def __init__(self, app: App, key: str, users: Callable[[], int]) -> None:
        self._app, self._key, self._users = app, key, users
        self._over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it (ASGI)."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = str(scope["path"])
        if path == LINK:
            return await self._link(scope, send)
        guarded = any(path == name or path.startswith(f"{name}/") for name in GUARDED)
        if guarded and self._open() and not (self._same(_cookie(scope)) or self._same(_header(scope))):
            return await _answer(send, 403, REFUSED)
        return await self._app(scope, receive, send)

    def _open(self) -> bool:
        self._over = self._over or self._users() > 0
        return not self._over

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._key.encode())

    async def _link(self, scope: Scope, send: Send) -> None:
        given = parse_qs(bytes(scope.get("query_string", b"")).decode("latin-1")).get("key", [""])[0]
        if not self._open():
            return await _answer(send, 410, DONE)
        if not self._same(given):
            return await _answer(send, 403, MISSING)
        # Lax, not Strict: the redirect that follows may have begun on another site, such as a mail or a console.
        cookie = f"{COOKIE}={given}; Path=/; HttpOnly; SameSite=Lax"
        secure = os.environ.get("WEBUI_SESSION_COOKIE_SECURE", "").lower() == "true"
        headers = [
            (b"location", f"/auth#administrator={given}".encode()),
            (b"set-cookie", (cookie + ("; Secure" if secure else "")).encode()),
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
        ]
        await _answer(send, 303, "", headers)


def _cookie(scope: Scope) -> str:
    for name, value in scope.get("headers", []):
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if found is not None:
                return found.value
    return ""


def _header(scope: Scope) -> str:
    found = [value for name, value in scope.get("headers", []) if name == HEADER]
    return found[0].decode("latin-1") if len(found) == 1 else ""


async def _answer(send: Send, status: int, detail: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:

    body = json.dumps({"detail": detail}).encode() if detail else b""
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
