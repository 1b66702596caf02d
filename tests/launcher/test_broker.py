"""The broker: to the hosts that were measured, and to no others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from launcher.serve.broker import Broker, read_head
from launcher.serve.refusals import Refusal


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says back what it got when the other side has ended, or has sent a whole head."""
    data = b""
    while not data.endswith(b"\r\n\r\n") and (more := await reader.read(65536)):
        data += more
    writer.write(b"got " + data)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def world() -> AsyncIterator[tuple[int, int]]:
    """The ports of a broker and of the one host that it may connect to."""
    far = await asyncio.start_server(echo, "127.0.0.1", 0)
    far_port = far.sockets[0].getsockname()[1]
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.ensure_future(Broker(frozenset({f"127.0.0.1:{far_port}"})).serve(listener))
    try:
        yield listener.getsockname()[1], far_port
    finally:
        task.cancel()
        far.close()


async def say(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


def run(test: Callable[[int, int], Awaitable[None]]) -> None:
    async def inside() -> None:
        async with world() as (broker, far):
            await test(broker, far)

    asyncio.run(inside())


def test_connect() -> None:
    async def test(broker: int, far: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker)
        writer.write(f"CONNECT 127.0.0.1:{far} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"sealed\r\n\r\n")
        assert await reader.read() == b"got sealed\r\n\r\n"
        writer.close()

    run(test)


def test_plain_http_goes_as_one_request_to_one_host() -> None:
    async def test(broker: int, far: int) -> None:
        head = f"GET http://127.0.0.1:{far}/a?b HTTP/1.1\r\nHost: x\r\nProxy-Authorization: y\r\nConnection: keep-alive"
        answer = await say(broker, f"{head}\r\n\r\n".encode())
        assert answer == b"got GET /a?b HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n"

    run(test)


@pytest.mark.attack
def test_no_other_host_or_port() -> None:
    async def test(broker: int, far: int) -> None:
        for target in (
            f"127.0.0.1:{far + 1}",
            f"localhost:{far}",
            f"127.0.0.1.words.example:{far}",
            "words.example:443",
        ):
            for head in (f"CONNECT {target} HTTP/1.1", f"GET http://{target}/words HTTP/1.1"):
                answer = await say(broker, f"{head}\r\nHost: 127.0.0.1:{far}\r\n\r\n".encode())
                assert answer.startswith(b"HTTP/1.1 403 ") and b"only what its launch measured" in answer

    run(test)


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "CONNECT  HTTP/1.1",
        "CONNECT a:b HTTP/1.1",
        "x",
        "GET http:///x HTTP/1.1",
    ],
)
def test_what_is_no_request_to_a_proxy(head: str) -> None:
    with pytest.raises(Refusal, match="passes on CONNECT"):
        read_head(f"{head}\r\n\r\n".encode())


def test_names_as_a_site_lists_them() -> None:
    assert read_head(b"CONNECT API.example HTTP/1.1\r\n\r\n").name == "api.example:443"
    assert read_head(b"CONNECT [2001:DB8::1]:8443 HTTP/1.1\r\n\r\n").name == "[2001:db8::1]:8443"
    assert read_head(b"GET http://user@api.example HTTP/1.1\r\n\r\n").name == "api.example:80"


def test_a_head_that_is_too_long_and_a_host_that_is_not_there() -> None:
    async def test(broker: int, far: int) -> None:
        assert b"431" in await say(broker, b"GET http://a/" + b"a" * 70_000)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        gone = Broker(frozenset({f"127.0.0.1:{port}"}))
        second = socket.create_server(("127.0.0.1", 0))
        task = asyncio.ensure_future(gone.serve(second))
        answer = await say(second.getsockname()[1], f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 502 ") and b"cannot be reached" in answer
        task.cancel()

    run(test)
