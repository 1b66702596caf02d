"""A page's WebSocket, carried through the channel, message by message, both ways, as long as the verdict is good."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web

from ..sealed_http import messages
from ..sealed_http.binary_http import Fields
from .carrying import Carrier
from .errors import TunnelError
from .sealed_socket import MAX_MESSAGE_BYTES, SealedSocket
from .watching import CutError


async def carry_socket(carrier: Carrier, request: web.Request, fields: Fields) -> web.WebSocketResponse:
    """Open one, and stay until either end closes it. Raises CutError, TunnelError before it is open."""
    far = await carrier.socket(request.raw_path, fields)
    spoken = request.headers.get("Sec-WebSocket-Protocol", "")
    near = web.WebSocketResponse(protocols=(spoken,) if spoken else (), compress=False, max_msg_size=MAX_MESSAGE_BYTES)
    await near.prepare(request)
    ways = (_outward(carrier, near, far), _inward(carrier, near, far), carrier.watch.until_cut())
    tasks = {asyncio.ensure_future(way) for way in ways}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        cut = next((str(each) for each in ended if isinstance(each, (CutError, TunnelError))), "")
        await far.close()
        code = WSCloseCode.POLICY_VIOLATION if cut else WSCloseCode.GOING_AWAY
        await near.close(code=code, message=cut.encode()[:120])
    return near


async def _outward(carrier: Carrier, near: web.WebSocketResponse, far: SealedSocket) -> None:
    """From the page to the service."""
    while True:
        message = await near.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        carrier.watch.key()  # or CutError
        text = message.type is WSMsgType.TEXT
        await far.send(messages.TEXT if text else messages.BINARY, message.data.encode() if text else message.data)


async def _inward(carrier: Carrier, near: web.WebSocketResponse, far: SealedSocket) -> None:
    """From the service to the page."""
    while True:
        kind, data = await far.receive()
        carrier.watch.key()
        if kind == messages.CLOSE:
            return
        with suppress(ConnectionError):
            await (near.send_str(data.decode()) if kind == messages.TEXT else near.send_bytes(data))
