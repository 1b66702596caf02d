"""What a service answers while its data is locked: that it is, and the owner's message."""

from __future__ import annotations

from html import escape

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from data_unlock.errors import MalformedError, RefusedError, UnlockError
from data_unlock.message import MOST
from data_unlock.outside import ANSWER_TYPE, PATH

from .binding import BindError
from .locking import Lock

SENTENCE = "This service is locked: the owner of its data has not opened it since it was started."
_UNSAID = {"Cache-Control": "no-store"}
_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Locked</title>
<h1>Locked</h1>
<p>{SENTENCE}</p>
<p>What people wrote here is encrypted, and nothing of it can be read, or written, until then. Come back later.</p>
<p>Who holds the owner's key opens it with <code>quote-verifier unlock</code>, which verifies this service first.</p>
</html>
"""


async def answer(lock: Lock, scope: Scope, receive: Receive, send: Send) -> None:
    """One request, or the handshake of a WebSocket (ASGI)."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
        return
    try:
        response = await _unlock(lock, Request(scope, receive)) if scope["path"] == PATH else _refusal(lock, scope)
    except ClientDisconnect:
        return
    await response(scope, receive, send)


def _refusal(lock: Lock, scope: Scope) -> Response:
    sentence = f"{SENTENCE} {lock.trouble}".rstrip()
    headers = {**_UNSAID, "Retry-After": "60"}
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if scope["method"] in ("GET", "HEAD") and b"text/html" in accepted:
        return HTMLResponse(_PAGE.replace(SENTENCE, escape(sentence)), 503, headers)
    return JSONResponse({"status": False, "detail": sentence}, 503, headers)


async def _unlock(lock: Lock, request: Request) -> Response:
    """The owner's message. What is refused before it is opened is answered by anybody: it decides nothing."""
    if request.method != "POST":
        return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": "POST"})
    message = b""
    async for chunk in request.stream():
        message += chunk
        if len(message) > MOST:
            break
    try:
        said = await lock.take(message)
    except (MalformedError, RefusedError) as error:
        return _problem(400 if isinstance(error, MalformedError) else 403, error)
    except BindError as error:
        return _problem(503, error)
    return Response(said, headers=_UNSAID, media_type=ANSWER_TYPE)


def _problem(status: int, error: UnlockError | BindError) -> Response:
    text = str(error)
    return JSONResponse({"detail": f"{text[:1].upper()}{text[1:].rstrip('.')}."}, status, _UNSAID)
