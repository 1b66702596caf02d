"""Passes WebSockets on to the web server's Unix socket, messages and close codes both ways, uncompressed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import WSMsgType
from starlette.types import Receive, Scope, Send

from .proxy import Upstream, address, request_headers

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
GONE = 1001  # RFC 6455, 7.4.1: an endpoint is going away
INTERNAL = 1011
_HANDSHAKE = ("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol")


async def pass_on(upstream: Upstream, scope: Scope, receive: Receive, send: Send) -> None:
    """One WebSocket (ASGI)."""
    await receive()  # websocket.connect
    headers = request_headers(scope)
    for name in _HANDSHAKE:
        headers.popall(name, None)
    try:
        far = await upstream.session().ws_connect(
            address(scope),
            protocols=scope["subprotocols"],
            headers=headers,
            compress=0,
            max_msg_size=MAX_MESSAGE_BYTES,
            autoclose=False,
        )
    except aiohttp.WSServerHandshakeError as error:
        await _refuse(send, error.status)
        return
    except (aiohttp.ClientError, OSError):
        await _refuse(send, 503)
        return
    async with far:
        await send({"type": "websocket.accept", "subprotocol": far.protocol})
        await _between(far, receive, send)


async def _refuse(send: Send, status: int) -> None:
    """Answer the handshake: what the web server said, or that it is not there."""
    await send({"type": "websocket.http.response.start", "status": status if status >= 400 else 502, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


async def _between(far: aiohttp.ClientWebSocketResponse, receive: Receive, send: Send) -> None:
    tasks = {asyncio.ensure_future(_outward(far, send)), asyncio.ensure_future(_inward(far, receive))}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError, aiohttp.ClientError, OSError):
            await task


async def _outward(far: aiohttp.ClientWebSocketResponse, send: Send) -> None:
    """From the web server to the client."""
    async for message in _messages(far):
        kind = {WSMsgType.TEXT: "text", WSMsgType.BINARY: "bytes"}[message.type]
        await send({"type": "websocket.send", kind: message.data})
    # Without a close frame the web server is gone, which must not look as if it had said all.
    code = far.close_code
    with suppress(RuntimeError):  # uvicorn's word for: the client has closed it first
        await send({"type": "websocket.close", "code": INTERNAL if code in (None, 1006) else _allowed(code)})


async def _messages(far: aiohttp.ClientWebSocketResponse) -> Any:
    while True:
        message = await far.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            yield message
        elif message.type is WSMsgType.CLOSE:
            await far.close()
            return
        elif message.type in (WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
            return


async def _inward(far: aiohttp.ClientWebSocketResponse, receive: Receive) -> None:
    """From the client to the web server."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await far.close(code=_allowed(message.get("code")))
            return
        if message.get("text") is not None:
            await far.send_str(message["text"])
        else:
            await far.send_bytes(message["bytes"])


def _allowed(code: int | None) -> int:
    """A close code that may be sent (RFC 6455, 7.4): the reserved ones only tell what did not come."""
    sendable = code is not None and (code in (*range(1000, 1004), *range(1007, 1015)) or 3000 <= code < 5000)
    return code if code is not None and sendable else GONE
