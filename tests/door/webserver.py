"""A stand-in for the web server: a small ASGI application behind a Unix socket, or with TLS of uvicorn's own at a
port of this machine (`python webserver.py PATH | PORT KEY CERTIFICATE`)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


async def echo(request: Request) -> Response:
    return JSONResponse(
        {
            "method": request.method,
            "target": request.scope["raw_path"].decode() + "?" + request.scope["query_string"].decode(),
            "headers": [[name.decode(), value.decode()] for name, value in request.headers.raw],
            "client": request.client.host if request.client else "",
            "scheme": request.url.scheme,
        }
    )


async def upload(request: Request) -> Response:
    digest, size, pieces = hashlib.sha256(), 0, 0
    async for chunk in request.stream():
        digest.update(chunk)
        size += len(chunk)
        pieces += 1
    return JSONResponse({"size": size, "sha256": digest.hexdigest(), "pieces": pieces})


async def stream(request: Request) -> Response:
    """`count` pieces, `pause` seconds apart."""
    pause = float(request.query_params.get("pause", "0.02"))

    async def words() -> object:
        for number in range(int(request.query_params.get("count", "3"))):
            yield f"data: {number}\n\n"
            await asyncio.sleep(pause)

    return StreamingResponse(words(), media_type="text/event-stream")  # type: ignore[arg-type]


async def chunks(request: Request) -> Response:
    async def pieces() -> object:
        for number in range(int(request.query_params["count"])):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/event-stream")  # type: ignore[arg-type]


async def dies(request: Request) -> Response:
    """Ends, as if killed, in the middle of an answer; `length` says how long that was to be."""

    async def words() -> object:
        yield b"half of an answer"
        await asyncio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)
        yield b"never"

    length = request.query_params.get("length")
    return StreamingResponse(words(), headers={"Content-Length": length} if length else None)  # type: ignore[arg-type]


async def dies_first(request: Request) -> Response:
    os.kill(os.getpid(), signal.SIGKILL)
    return Response()


async def hangs(request: Request) -> Response:
    """Python is busy, as with an administrator's."""
    time.sleep(float(request.query_params.get("s", "5")))
    return PlainTextResponse("done")


waiting = {"now": 0}


async def forever(request: Request) -> Response:
    async def words() -> object:
        waiting["now"] += 1
        try:
            while True:
                yield b"more "
                await asyncio.sleep(0.02)
        finally:
            waiting["now"] -= 1

    return StreamingResponse(words())  # type: ignore[arg-type]


async def how_many(request: Request) -> Response:
    return JSONResponse(waiting)


counted: dict[str, list[int]] = {}


async def count(request: Request) -> Response:
    """How often each word was begun to be said, and how often it came whole; a GET tells."""
    if request.method == "POST":
        of_this = counted.setdefault(request.query_params.get("word", ""), [0, 0])
        of_this[0] += 1
        with suppress(ClientDisconnect):
            async for _ in request.stream():
                pass
            of_this[1] += 1
    return JSONResponse(counted)


async def hostile(request: Request) -> Response:
    """What a Function in the web server may send."""
    return Response(
        "<script>alert(1)</script>",
        media_type="text/html",
        headers={"Content-Security-Policy": "default-src * 'unsafe-inline'", "Strict-Transport-Security": "max-age=0"},
    )


async def big(request: Request) -> Response:
    return PlainTextResponse("word " * 100_000)


async def talk(websocket: WebSocket) -> None:
    if websocket.query_params.get("refuse"):
        await websocket.close(4003)
        return
    await websocket.accept(subprotocol="chat" if "chat" in websocket.scope["subprotocols"] else None)
    await websocket.send_json(dict(websocket.headers.items()))
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text, data = message.get("text"), message.get("bytes")
        if text == "bye":
            await websocket.close(4001, "bye")
            return
        if text == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        await (websocket.send_text(text) if text is not None else websocket.send_bytes(data or b""))


ROUTES = {
    "upload": upload,
    "stream": stream,
    "chunks": chunks,
    "dies": dies,
    "dies-first": dies_first,
    "hangs": hangs,
    "forever": forever,
    "waiting": how_many,
    "count": count,
    "hostile": hostile,
    "big": big,
}
METHODS = ["GET", "POST", "PUT", "DELETE"]
app = Starlette(
    routes=[
        *(Route(f"/api/{name}", function, methods=METHODS) for name, function in ROUTES.items()),
        WebSocketRoute("/ws/talk", talk),
        Route("/{rest:path}", echo, methods=METHODS),
    ]
)

if __name__ == "__main__":
    where: dict[str, Any] = {"uds": sys.argv[1]}
    if sys.argv[2:]:
        where = {"port": int(sys.argv[1]), "ssl_keyfile": sys.argv[2], "ssl_certfile": sys.argv[3]}
    uvicorn.run(app, log_level="warning", proxy_headers=True, forwarded_allow_ips="*", **where)
