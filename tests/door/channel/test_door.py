"""The encrypted channel of a door that runs: what `quote-verifier connect` sends, to a web server behind it."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from quote_verifier.connect.tunnel import Tunnel, TunnelError
from quote_verifier.sealed_http.key_config import KeyConfig, decode
from quote_verifier.sealed_http.outside import PATH

from sealed_http import messages
from sealed_http.binary_http import RESPONSE, Head, Reader, encode_head
from sealed_http.exchange import RESPONSE_NONCE_SIZE, ClientExchange
from sealed_http.key_config import KeyConfig as OwnKeyConfig

from ..conftest import Running, World

pytestmark = pytest.mark.slow  # starts processes


@contextmanager
def channel(folder: Path, heard: list[bytes] | None = None, **config: Any) -> Iterator[tuple[Running, Any]]:
    """A door with a stand-in for the attester, which was told the channel's key, if there is one. All that it is told
    stands in `heard`."""
    made = World(folder)
    near, far = socket.socketpair()
    heard = [] if heard is None else heard

    def attest() -> None:
        while said := far.recv(4096):
            heard.append(said)
            far.sendall(b'{"ok": true}\n')

    threading.Thread(target=attest, daemon=True).start()
    with near, far:
        try:
            running = made.start(bind=near.fileno(), **config)
            yield running, bound(heard)
        finally:
            made.end()


def bound(heard: list[bytes]) -> Any:
    """The channel's key that the attester was told last, if any."""
    text = json.loads(heard[-1])["bind"].get("channel")
    return decode(base64.urlsafe_b64decode(text + "==")) if text else None


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, KeyConfig]]:
    """One for the tests that change nothing about it."""
    with channel(tmp_path_factory.mktemp("channel")) as made:
        yield made


Test = Callable[[Tunnel, KeyConfig], Awaitable[None]]


def run(talking: tuple[Running, KeyConfig], test: Test) -> None:
    running, key = talking

    async def inside() -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            await test(Tunnel(f"http://127.0.0.1:{running.port}", session), key)

    asyncio.run(asyncio.wait_for(inside(), 60))


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


def test_an_ordinary_request_reaches_the_web_server(talking: tuple[Running, KeyConfig]) -> None:
    async def test(tunnel: Tunnel, key: KeyConfig) -> None:
        fields = (("authorization", "Bearer sk-1"), ("x-forwarded-for", "198.51.100.7"))
        answer = await tunnel.request(key, "GET", "/api/echo?x=%20y", fields, pieces())
        seen = json.loads(b"".join([piece async for piece in answer.content]))
        headers = dict(map(tuple, seen["headers"]))
        assert (seen["method"], seen["target"], seen["client"]) == ("GET", "/api/echo?x=%20y", "127.0.0.1")
        assert headers["authorization"] == "Bearer sk-1" and "date" not in headers and "padding" not in headers
        assert headers["x-forwarded-for"] == "127.0.0.1" and headers["x-forwarded-proto"] == "https"
        assert answer.head.field("content-security-policy")

    run(talking, test)


def most(running: Running) -> int:
    """KiB of memory that the door had at once."""
    return int(Path(f"/proc/{running.door.pid}/status").read_text().split("VmHWM:")[1].split()[0])


def test_a_hundred_megabytes_and_a_stream(talking: tuple[Running, KeyConfig]) -> None:
    """Neither is held: what comes is passed on."""

    async def test(tunnel: Tunnel, key: KeyConfig) -> None:
        block, before = bytes(range(256)) * 4096, most(talking[0])
        answer = await tunnel.request(key, "POST", "/api/upload", (), pieces(*[block] * 100))
        assert json.loads(b"".join([piece async for piece in answer.content]))["size"] == 100 * len(block)
        assert most(talking[0]) - before < 32 * 1024
        answer = await tunnel.request(key, "GET", "/api/stream?count=5", (), pieces())
        found = [piece async for piece in answer.content]
        assert b"".join(found) == b"".join(b"data: %d\n\n" % number for number in range(5))
        assert len(found) > 1  # as they come, though two may come together

    run(talking, test)


def test_pages_and_attestation_are_inside_too(talking: tuple[Running, KeyConfig]) -> None:
    async def test(tunnel: Tunnel, key: KeyConfig) -> None:
        for path in ("/", "/api/v1/tee/config", "/health"):
            answer = await tunnel.request(key, "GET", path, (), pieces())
            assert answer.head.status == 200 and b"".join([piece async for piece in answer.content])
        with pytest.raises(TunnelError, match="no other one"):
            await tunnel.request(key, "POST", PATH, (), pieces(b"x"))

    run(talking, test)


@pytest.mark.attack
def test_a_web_server_that_dies_gives_no_short_answer(tmp_path: Path) -> None:
    async def test(tunnel: Tunnel, key: KeyConfig) -> None:
        answer = await tunnel.request(key, "GET", "/api/dies", (), pieces())
        with pytest.raises(TunnelError, match="broke off before its end"):
            async for _ in answer.content:
                pass

    with channel(tmp_path) as made:
        run(made, test)


def test_a_sealed_websocket(talking: tuple[Running, KeyConfig]) -> None:
    running, key = talking
    exchange = ClientExchange(OwnKeyConfig(key.key_id, key.public_key))
    head = Head((("date", formatdate(usegmt=True)),), "GET", f"127.0.0.1:{running.port}", "/ws/talk")

    async def talk() -> None:
        url = f"http://127.0.0.1:{running.port}{PATH}"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            await socket.send_bytes(exchange.prefix + exchange.request.seal(encode_head(head)))
            first = await socket.receive_bytes()
            opener = exchange.response(first[:RESPONSE_NONCE_SIZE])
            reader = Reader(RESPONSE)
            reader.feed(opener.open(first[RESPONSE_NONCE_SIZE:]))
            assert reader.head and reader.head.status == 200
            hello = messages.decode(opener.open((await socket.receive_bytes())[1:]))[1]
            assert b"x-forwarded-for" in hello
            await socket.send_bytes(b"\0" + exchange.request.seal(messages.encode(messages.TEXT, b"words")))
            heard = await socket.receive_bytes()
            assert messages.decode(opener.open(heard[1:])) == (messages.TEXT, b"words")
            assert b"words" not in heard

    asyncio.run(asyncio.wait_for(talk(), 60))
