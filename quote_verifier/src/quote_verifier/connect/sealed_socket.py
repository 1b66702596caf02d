"""A WebSocket through the encrypted channel: each message sealed by itself (`sealed_http/messages.py`)."""

from __future__ import annotations

import aiohttp
from aiohttp import WSMsgType

from ..sealed_http import messages
from ..sealed_http.binary_http import RESPONSE, Head, Reader, encode_head
from ..sealed_http.errors import SealedError
from ..sealed_http.exchange import RESPONSE_NONCE_SIZE, ClientExchange, Opener, name_of
from .errors import StaleKeyError, TunnelError

REFUSED = 4400  # the close code with which the door says why it opened nothing
MAX_MESSAGE_BYTES = messages.LIMIT + 64 * 1024
_BROKEN = "The connection broke off before its end."


class SealedSocket:
    """An open one. What is received is whole and in order, or TunnelError."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, exchange: ClientExchange, opener: Opener) -> None:
        self._socket, self._sealer, self._opener = socket, exchange.request, opener

    async def send(self, kind: int, data: bytes) -> None:
        """One message; `kind` is `messages.TEXT` or `messages.BINARY`. Raises TunnelError."""
        try:
            await self._socket.send_bytes(b"\0" + self._sealer.seal(messages.encode(kind, data)))
        except (aiohttp.ClientError, OSError, SealedError) as error:
            raise TunnelError(f"The message could not be sent: {error}.") from None

    async def receive(self) -> tuple[int, bytes]:
        """Kind and data of the next message; of the last one CLOSE and the code's two bytes. Raises TunnelError."""
        message = await self._socket.receive()
        if message.type is not WSMsgType.BINARY or not message.data:
            raise TunnelError(_BROKEN)
        final = message.data[0] == messages.CLOSE
        try:
            kind, data = messages.decode(self._opener.open(message.data[1:], final))
        except SealedError as error:
            raise TunnelError(f"The message cannot be believed: {error}.") from None
        if (kind == messages.CLOSE) != final:
            raise TunnelError("The message cannot be believed: only the closing one is final.")
        return kind, data

    async def close(self, code: int = 1000) -> None:
        """Say that this was all, and end."""
        try:
            last = self._sealer.seal(messages.encode(messages.CLOSE, code.to_bytes(2, "big")), True)
            await self._socket.send_bytes(bytes([messages.CLOSE]) + last)
        except (aiohttp.ClientError, OSError):
            pass
        await self._socket.close()


async def open_socket(session: aiohttp.ClientSession, url: str, exchange: ClientExchange, head: Head) -> SealedSocket:
    """The WebSocket that `head` asks for. Raises TunnelError, StaleKeyError where the door opened nothing."""
    try:
        socket = await session.ws_connect(url, max_msg_size=MAX_MESSAGE_BYTES, compress=0)
        await socket.send_bytes(exchange.prefix + exchange.request.seal(encode_head(head)))
        first = await socket.receive()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TunnelError(f"The service cannot be reached: {error or type(error).__name__}.") from None
    try:
        return SealedSocket(socket, exchange, _opener(first, exchange, socket.close_code))
    except TunnelError:
        await socket.close()
        raise


def _opener(first: aiohttp.WSMessage, exchange: ClientExchange, code: int | None) -> Opener:
    """What opens what follows the server's first message, the answer's head."""
    if first.type is not WSMsgType.BINARY:
        said = f"The service, or somebody before it, refused the sealed connection: {first.extra or first.data}."
        if (first.data if first.type is WSMsgType.CLOSE else code) == REFUSED:
            raise StaleKeyError(said, name_of(exchange.prefix))
        raise TunnelError(said)
    opener, reader = exchange.response(first.data[:RESPONSE_NONCE_SIZE]), Reader(RESPONSE)
    try:
        reader.feed(opener.open(first.data[RESPONSE_NONCE_SIZE:]))
    except SealedError as error:
        raise TunnelError(f"The answer cannot be believed: {error}.") from None
    status = reader.head.status if reader.head else 0
    if status != 200:
        raise TunnelError(f"The service refused the connection (HTTP {status}).")
    return opener
