"""What a service answers while its data is locked: that it is, and the owner's message."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from data_unlock.errors import MalformedError, RefusedError, UnlockError
from data_unlock.message import MOST
from data_unlock.outside import ANSWER_TYPE, PATH

from .binding import BindError
from .locking import Lock
from .pages import Pages

SENTENCE = "This service is locked: the owner of its data has not opened it since it was started."
_UNSAID = {"Cache-Control": "no-store"}


async def answer(lock: Lock, pages: Pages, scope: Scope, receive: Receive, send: Send) -> None:
    """One request, or the handshake of a WebSocket (ASGI). The page that says so is Open WebUI's, with its shield: the
    release's files are served as ever, and nothing else."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
        return
    if scope["path"] != PATH and pages.has(scope):
        await pages(scope, receive, send)
        return
    try:
        unlocking = scope["path"] == PATH
        response = await _unlock(lock, Request(scope, receive)) if unlocking else _refusal(lock, pages, scope)
    except ClientDisconnect:
        return
    await response(scope, receive, send)


def _refusal(lock: Lock, pages: Pages, scope: Scope) -> Response:
    sentence = f"{SENTENCE} {lock.trouble}".rstrip()
    headers = {**_UNSAID, "Retry-After": "60"}
    accepted = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    if scope["method"] in ("GET", "HEAD") and b"text/html" in accepted and (page := pages.start()):
        return HTMLResponse(page, 503, headers)
    return JSONResponse({"status": False, "detail": sentence}, 503, headers)


async def _unlock(lock: Lock, request: Request) -> Response:
    """The owner's message; or, for a page, why a key broker does not open it. What is refused before it is opened is
    answered by anybody: it decides nothing."""
    if request.method == "GET":
        return JSONResponse(
            {"detail": f"{SENTENCE} {lock.trouble}".rstrip(), "trouble": lock.trouble_kind}, 200, _UNSAID
        )
    if request.method != "POST":
        return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": "GET, POST"})
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
