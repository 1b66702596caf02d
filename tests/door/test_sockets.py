"""WebSockets through the door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from .conftest import Running, World


def talk(running: Running, conversation: Callable[[ClientWebSocketResponse], Awaitable[None]], query: str = "") -> None:
    async def go() -> None:
        async with aiohttp.ClientSession() as session:
            url = f"ws://127.0.0.1:{running.port}/ws/talk{query}"
            async with session.ws_connect(url, protocols=("chat", "other"), compress=15) as socket:
                await conversation(socket)

    asyncio.run(asyncio.wait_for(go(), 20))


@pytest.mark.slow
def test_messages_both_ways(shared: Running) -> None:
    async def conversation(socket: ClientWebSocketResponse) -> None:
        seen = json.loads(await socket.receive_str())
        assert socket.protocol == "chat"
        assert seen["x-forwarded-for"] == "127.0.0.1" and seen["host"] == f"127.0.0.1:{shared.port}"
        for text in ("a", "ü" * 70_000, ""):
            await socket.send_str(text)
            assert await socket.receive_str() == text
        await socket.send_bytes(b"\x00" * 1_000_000)
        assert await socket.receive_bytes() == b"\x00" * 1_000_000

    talk(shared, conversation)


@pytest.mark.slow
def test_nothing_is_compressed(shared: Running) -> None:
    """What a person writes and what an attacker can have sent beside it would show in the length."""

    async def conversation(socket: ClientWebSocketResponse) -> None:
        assert socket.compress == 0

    talk(shared, conversation)


@pytest.mark.slow
def test_the_web_servers_last_word(shared: Running) -> None:
    async def conversation(socket: ClientWebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str("bye")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 4001

    talk(shared, conversation)


@pytest.mark.slow
def test_a_refusal_is_passed_on(shared: Running) -> None:
    async def conversation(socket: ClientWebSocketResponse) -> None:
        raise AssertionError("it was let in")

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        talk(shared, conversation, "?refuse=1")
    assert refused.value.status == 403


@pytest.mark.slow
def test_without_a_web_server(world: World) -> None:
    async def conversation(socket: ClientWebSocketResponse) -> None:
        raise AssertionError("it was let in")

    running = world.start(web=False)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        talk(running, conversation)
    assert refused.value.status == 503


@pytest.mark.slow
@pytest.mark.attack
def test_a_web_server_that_ends_is_no_goodbye(world: World) -> None:
    async def conversation(socket: ClientWebSocketResponse) -> None:
        await socket.receive()
        await socket.send_str("die")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1011

    talk(world.start(), conversation)
