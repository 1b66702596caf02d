"""A sealed WebSocket: the client's first message holds the head of an inner handshake, each later one is sealed by
itself (`sealed_http/messages.py`), and so are the server's, the first of which begins with its nonce.

It is accepted outside before anything is known of it, because the client's words come first.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Message, Receive, Scope, Send

from sealed_http import messages
from sealed_http.binary_http import REQUEST, Head, Reader, encode_head
from sealed_http.errors import MalformedError, SealedError
from sealed_http.exchange import PREFIX_SIZE, ServerExchange

from .requests import REFUSALS, Ends, inner_scope, require_single, take

HELLO_S = 20.0
HELLO_LIMIT = 32 * 1024  # bytes
PROTOCOL_ERROR, REFUSED, BROKEN = 1002, 4400, 4500  # close codes outside; the second's reason is a sentence


async def pass_on(ends: Ends, scope: Scope, receive: Receive, send: Send) -> None:
    """One WebSocket (ASGI)."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    try:
        async with asyncio.timeout(HELLO_S):
            message = await receive()
        exchange, head = _open_hello(ends, message.get("bytes") or b"")
    except TimeoutError:
        return await _close(send, PROTOCOL_ERROR, "no sealed message came")
    except REFUSALS as error:
        return await _close(send, REFUSED, str(error))
    socket = _Socket(exchange, receive, send)
    await ends.app(inner_scope(scope, head, type="websocket", scheme="wss"), socket.receive, socket.send)
    return None


async def _close(send: Send, code: int, reason: str) -> None:
    await send({"type": "websocket.close", "code": code, "reason": reason.encode()[:120].decode("utf-8", "ignore")})


def _open_hello(ends: Ends, hello: bytes) -> tuple[ServerExchange, Head]:
    if len(hello) > HELLO_LIMIT:
        raise MalformedError(f"a sealed handshake has at most {HELLO_LIMIT} bytes")
    exchange = ServerExchange(hello[:PREFIX_SIZE], ends.keys.secrets)
    reader = Reader(REQUEST)
    reader.feed(exchange.request.open(hello[PREFIX_SIZE:]))
    if reader.head is None:
        raise MalformedError("a sealed handshake holds the head of a request, and nothing else")
    require_single(reader.head)
    take(ends.taken, hello[:PREFIX_SIZE], reader.head)
    return exchange, reader.head


class _Socket:
    """ASGI's two ends for what is inside."""

    def __init__(self, exchange: ServerExchange, receive: Receive, send: Send) -> None:
        self._opener = exchange.request
        self._nonce, self._sealer = exchange.response()
        self._receive, self._send = receive, send
        self._begun = False

    async def receive(self) -> Message:
        if not self._begun:
            self._begun = True
            return {"type": "websocket.connect"}
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return {"type": "websocket.disconnect", "code": 1006}
        try:
            return self._opened(message.get("bytes") or b"")
        except (SealedError, UnicodeDecodeError):
            with suppress(RuntimeError):
                await _close(self._send, BROKEN, "a sealed message does not open")
            return {"type": "websocket.disconnect", "code": 1006}

    def _opened(self, sealed: bytes) -> Message:
        final = len(sealed) > 0 and sealed[0] == messages.CLOSE
        kind, data = messages.decode(self._opener.open(sealed[1:], final))
        if (kind == messages.CLOSE) != final:
            raise MalformedError("only the closing message is final")
        if kind == messages.CLOSE:
            return {"type": "websocket.disconnect", "code": int.from_bytes(data[:2], "big") or 1005}
        key = "text" if kind == messages.TEXT else "bytes"
        return {"type": "websocket.receive", key: data.decode() if kind == messages.TEXT else data}

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                await self._out(self._nonce + self._sealer.seal(encode_head(Head(status=200))))
            case "websocket.http.response.start":
                head = encode_head(Head(status=max(400, message["status"])))
                await self._out(self._nonce + self._sealer.seal(head))
                await _close(self._send, REFUSED, "")
            case "websocket.send":
                text = message.get("text")
                kind, data = (messages.TEXT, text.encode()) if text is not None else (messages.BINARY, message["bytes"])
                await self._out(b"\0" + self._sealer.seal(messages.encode(kind, data)))
            case "websocket.close":
                code = int(message.get("code") or 1000).to_bytes(2, "big")
                last = self._sealer.seal(messages.encode(messages.CLOSE, code), True)
                await self._out(bytes([messages.CLOSE]) + last)
                await _close(self._send, 1000, "")

    async def _out(self, data: bytes) -> None:
        await self._send({"type": "websocket.send", "bytes": data})
