"""Sessions of the encrypted channel, and those outside of it, are kept apart.

Whoever ends TLS before the door reads every token that travels outside. So a token, or an API key, that is made for a
request from inside the channel says so, and is good for such requests alone; one from outside is good outside alone.
The door says which requests came inside (`door/proxy.py`), in a header that no client's own can take the place of.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

from fastapi import HTTPException

HEADER = b"x-tee-channel"
INSIDE = b"inside"
#: The claim of a token that was made inside.
CLAIM = "channel"
#: What an API key that was made inside begins with.
KEY_PREFIX = "sk-inside-"

MADE_INSIDE = "This API key was made inside of the encrypted channel, and is taken only there: quote-verifier connect."
MADE_OUTSIDE = (
    "This API key was made outside of the encrypted channel, where whoever ends TLS could read it, and is not taken "
    "inside: make a new one there (Settings, Account)."
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_inside: ContextVar[bool] = ContextVar("inside", default=False)


def install(app: Any) -> None:
    """Have `app` (FastAPI) know where each request came from. Without a door before it all are from outside."""
    if os.environ.get("TEE_CHANNEL", "off") != "off":
        app.add_middleware(Apart)


class Apart:
    """ASGI middleware: what runs for one request or socket knows whether that came inside."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on (ASGI)."""
        said = [value for name, value in scope.get("headers", ()) if name == HEADER]
        before = _inside.set(said == [INSIDE])
        try:
            await self._app(scope, receive, send)
        finally:
            _inside.reset(before)


def claims() -> dict[str, str]:
    """What a token that is made now says of where it is good."""
    return {CLAIM: INSIDE.decode()} if _inside.get() else {}


def fits(token: Mapping[str, Any]) -> bool:
    """Whether a token with these claims, which are known to be the server's own, is good for this request."""
    return (token.get(CLAIM) == INSIDE.decode()) == _inside.get()


def api_key(key: str) -> str:
    """`key` (sk-...) as it is to be made for this request."""
    return KEY_PREFIX + key.removeprefix("sk-") if _inside.get() else key


def require_key(key: str) -> None:
    """HTTPException unless this API key is good for this request."""
    made_inside = key.startswith(KEY_PREFIX)
    if made_inside != _inside.get():
        raise HTTPException(401, MADE_INSIDE if made_inside else MADE_OUTSIDE)


def token_of(request: Any) -> str | None:
    """Who asks for what anybody may ask for: by cookie, or inside, where there are none, by header."""
    header = str(request.headers.get("authorization", ""))
    bearer = header.removeprefix("Bearer ") if header.startswith("Bearer ") else None
    return request.cookies.get("token") or bearer


def require_script(request: Any) -> None:
    """HTTPException 403 unless a script of the page asks: a picture, a frame or a link cannot name a type.

    For what changes something and is asked with GET: a message's picture could ask for it with its reader's cookie.
    """
    if request.headers.get("content-type") != "application/json":
        raise HTTPException(
            403, "Pictures and links do not sign anybody out: ask with the header Content-Type: application/json."
        )
