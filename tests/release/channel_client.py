"""Requests and socket.io at a running release, outside of the encrypted channel and inside: as short as can be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import requests
from quote_verifier.connect.tunnel import Tunnel
from quote_verifier.encoding import from_base64url
from quote_verifier.sealed_http import messages
from quote_verifier.sealed_http.key_config import KeyConfig, decode

SOCKET = "/ws/socket.io/?EIO=4&transport=websocket"
Receive = Callable[[], Awaitable[str]]
Send = Callable[[str], Awaitable[None]]


class Outside:
    """As anybody asks who knows of no channel; what carries a token is chosen by `by`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, path: str, token: str = "", body: Any = None, by: str = "header") -> tuple[int, Any]:
        """Status, and the answer's JSON."""
        answer = requests.request(method, self.url + path, headers=carried(token, by), json=body, timeout=60)
        return answer.status_code, answer.json()

    def join(self, token: str) -> Any:
        """Whom socket.io takes the bearer of `token` for."""

        async def talk() -> Any:
            async with aiohttp.ClientSession() as session, session.ws_connect(self.url + SOCKET) as socket:
                return await joined(socket.receive_str, socket.send_str, token)

        return asyncio.run(asyncio.wait_for(talk(), 60))


class Inside(Outside):
    """The same through the channel, sealed to the key that the server's evidence names."""

    def ask(self, method: str, path: str, token: str = "", body: Any = None, by: str = "header") -> tuple[int, Any]:
        """Status, and the answer's JSON."""

        async def talk() -> tuple[int, Any]:
            async with aiohttp.ClientSession() as session:
                fields = tuple((name.lower(), value) for name, value in carried(token, by).items())
                fields += (("content-type", "application/json"),) if body is not None else ()
                answer = await Tunnel(self.url, session).request(self._key(), method, path, fields, _pieces(body))
                return answer.head.status, json.loads(b"".join([piece async for piece in answer.content]))

        return asyncio.run(asyncio.wait_for(talk(), 120))

    def join(self, token: str) -> Any:
        """Whom socket.io takes the bearer of `token` for."""

        async def talk() -> Any:
            async with aiohttp.ClientSession() as session:
                socket = await Tunnel(self.url, session).socket(self._key(), SOCKET)

                async def receive() -> str:
                    return (await socket.receive())[1].decode()

                async def send(text: str) -> None:
                    await socket.send(messages.TEXT, text.encode())

                found = await joined(receive, send, token)
                await socket.close()
                return found

        return asyncio.run(asyncio.wait_for(talk(), 60))

    def _key(self) -> KeyConfig:
        evidence = requests.get(f"{self.url}/api/v1/tee/quote", timeout=60).json()
        return decode(from_base64url(evidence["runtime_data"]["channel"], "the channel's key"))


def carried(token: str, by: str) -> dict[str, str]:
    """The header that carries `token`: Authorization, or a cookie."""
    if not token:
        return {}
    return {"Authorization": f"Bearer {token}"} if by == "header" else {"Cookie": f"token={token}"}


async def joined(receive: Receive, send: Send, token: str) -> Any:
    """What an open socket.io connection answers to `user-join`: the user, or None."""
    assert (await receive()).startswith("0{")  # engine.io: open
    await send(f"40{json.dumps({'token': token})}")
    while not (await receive()).startswith("40"):
        pass
    await send(f"420{json.dumps(['user-join', {'auth': {'token': token}}])}")
    while not (answer := await receive()).startswith("430"):
        if answer == "2":
            await send("3")
    told = json.loads(answer[3:])
    return told[0] if told else None


async def _pieces(body: Any) -> AsyncIterator[bytes]:
    if body is not None:
        yield json.dumps(body).encode()
