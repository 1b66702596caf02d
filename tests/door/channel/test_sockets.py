"""A sealed WebSocket through the door."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from door.channel import sockets
from door.channel.keys import Keys
from door.channel.requests import Ends
from sealed_http import messages, outside
from sealed_http.binary_http import RESPONSE, Reader, encode_head
from sealed_http.errors import MalformedError, UnopenedError
from sealed_http.exchange import RESPONSE_NONCE_SIZE, ClientExchange, Opener

from .sealing import NOW, ends, head


class Client:
    """A client's end, and the two queues between it and the door."""

    def __init__(self, here: Ends, key: Any = None) -> None:
        self.exchange = ClientExchange(key or here.keys.current)
        self._here = here
        self.inward: asyncio.Queue[Any] = asyncio.Queue()
        self.outward: asyncio.Queue[Any] = asyncio.Queue()
        self.opener: Opener | None = None

    def hello(self, path: str = "/ws/socket.io/?EIO=4", **fields: str) -> bytes:
        return self.exchange.prefix + self.exchange.request.seal(encode_head(head(path, "GET", at=NOW, **fields)))

    def start(self) -> asyncio.Task[None]:
        scope = {"type": "websocket", "path": outside.PATH, "raw_path": b"", "headers": [], "subprotocols": []}
        self.inward.put_nowait({"type": "websocket.connect"})
        return asyncio.ensure_future(sockets.pass_on(self._here, scope, self.inward.get, self.outward.put))

    def give(self, data: bytes) -> None:
        self.inward.put_nowait({"type": "websocket.receive", "bytes": data})

    def say(self, kind: int, data: bytes) -> bytes:
        final = kind == messages.CLOSE
        sealed = bytes([kind if final else 0]) + self.exchange.request.seal(messages.encode(kind, data), final)
        self.give(sealed)
        return sealed

    async def get(self) -> Any:
        return await asyncio.wait_for(self.outward.get(), 10)

    async def accepted(self) -> int:
        assert (await self.get())["type"] == "websocket.accept"
        first = (await self.get())["bytes"]
        self.opener = self.exchange.response(first[:RESPONSE_NONCE_SIZE])
        reader = Reader(RESPONSE)
        reader.feed(self.opener.open(first[RESPONSE_NONCE_SIZE:]))
        assert reader.head
        return reader.head.status

    async def heard(self) -> tuple[int, bytes]:
        data = (await self.get())["bytes"]
        assert self.opener
        return messages.decode(self.opener.open(data[1:], data[0] == messages.CLOSE))


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Says its path, then everything back; `bye` ends it."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": f"{scope['path']} {scope['headers']}"})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "bye":
            await send({"type": "websocket.close", "code": 4001})
            return
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
    heard.append(message)


heard: list[Any] = []


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


def test_words_both_ways() -> None:
    async def talk() -> None:
        client = Client(ends(echo))
        task = client.start()
        client.give(client.hello(authorization="Bearer abc"))
        assert await client.accepted() == 200
        kind, text = await client.heard()
        assert kind == messages.TEXT and text.startswith(b"/ws/socket.io/") and b"Bearer abc" in text
        for kind, data in ((messages.TEXT, "J\u00fcrgen".encode()), (messages.BINARY, bytes(100_000))):
            client.say(kind, data)
            assert await client.heard() == (kind, data)
        client.say(messages.TEXT, b"bye")
        assert await client.heard() == (messages.CLOSE, (4001).to_bytes(2, "big"))
        assert (await client.get())["type"] == "websocket.close"
        await task

    asyncio.run(talk())


def test_a_client_that_says_goodbye_and_one_that_vanishes() -> None:
    async def leave(last: str) -> Any:
        heard.clear()
        client = Client(ends(echo))
        task = client.start()
        client.give(client.hello())
        await client.accepted()
        if last == "close":
            client.say(messages.CLOSE, (1001).to_bytes(2, "big"))
        else:
            client.inward.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await task
        return heard[-1]["code"]

    assert asyncio.run(leave("close")) == 1001
    assert asyncio.run(leave("vanish")) == 1006  # nobody can say goodbye in the client's place


def test_messages_of_one_length_for_words_of_many() -> None:
    assert {len(messages.encode(messages.TEXT, b"a" * size)) for size in range(250)} == {256}
    assert len(messages.encode(messages.TEXT, bytes(16_382))) == 2 * 16_384
    with pytest.raises(MalformedError, match="at most"):
        messages.encode(messages.TEXT, bytes(messages.LIMIT + 1))
    for wrong in (b"", b"\x03\x00", b"\x01\x02a", b"\x01\x01ab"):
        with pytest.raises(MalformedError):
            messages.decode(wrong)


@pytest.mark.parametrize("change", ["again", "changed", "as the last", "made up"])
def test_what_somebody_on_the_way_does_ends_it(change: str) -> None:
    async def attack() -> Any:
        client = Client(ends(echo))
        task = client.start()
        client.give(client.hello())
        await client.accepted()
        await client.heard()
        sealed = client.say(messages.TEXT, b"one")
        await client.heard()
        client.give(
            {"again": sealed, "changed": sealed[:-1] + b"x", "as the last": b"\x08" + sealed[1:], "made up": b"x"}[
                change
            ]
        )
        closed = await client.get()
        await task
        return closed

    closed = asyncio.run(attack())
    assert (closed["type"], closed["code"]) == ("websocket.close", sockets.BROKEN)


@pytest.mark.parametrize("hello", [b"", b"garbage", bytes(40), bytes(sockets.HELLO_LIMIT + 1)], ids=range(4))
def test_a_hello_that_is_none(hello: bytes) -> None:
    async def knock() -> Any:
        client = Client(ends(echo))
        task = client.start()
        client.give(hello)
        await client.get()
        await task
        return await client.get()

    assert asyncio.run(knock())["code"] == sockets.REFUSED


def test_a_hello_again_and_one_for_another_key() -> None:
    async def knock() -> list[Any]:
        here = ends(echo)
        first, second, other = Client(here), Client(here), Client(here, Keys().current)
        hello = first.hello()
        closed = []
        for client, data in ((first, hello), (second, hello), (other, other.hello())):
            task = client.start()
            client.give(data)
            await client.get()
            closed.append(await client.get())
            task.cancel()
        return closed

    taken, again, wrong = asyncio.run(knock())
    assert taken["type"] == "websocket.send"
    assert (again["code"], wrong["code"]) == (sockets.REFUSED, sockets.REFUSED)
    assert "taken before" in again["reason"] and "does not open" in wrong["reason"]


def test_a_refused_handshake_is_told_inside_only() -> None:
    async def knock() -> tuple[int, Any]:
        client = Client(ends(refuse))
        task = client.start()
        client.give(client.hello())
        status = await client.accepted()
        await task
        return status, await client.get()

    status, closed = asyncio.run(knock())
    assert status == 403 and closed["reason"] == ""


def test_another_socket_s_answer_does_not_open() -> None:
    async def swap() -> None:
        here = ends(echo)
        one, two = Client(here), Client(here)
        for client in (one, two):
            client.start()
            client.give(client.hello())
            await client.accepted()
        one.opener, two.opener = two.opener, one.opener
        with pytest.raises(UnopenedError):
            await one.heard()

    asyncio.run(swap())
