"""What a connection may take: nobody is kept out by those who only hold them, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from door import connections
from door.connections import Connection, Waiting

from .conftest import PAGE, World

FEW = ("prlimit", "--nofile=400")  # leaves the door 136 connections


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("tls", ["off", "self-signed"])
@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["nothing", "half a head"])
def test_clients_that_only_hold_connections_keep_nobody_out(world: World, tls: str, said: bytes) -> None:
    """A thousand of them, where there is room for 136; with TLS none even begins its handshake."""
    running = world.start(tls=tls, prefix=FEW)
    held = []
    for number in range(1000):
        each = running.raw()
        each.sendall(said if tls == "off" else b"")
        held.append(each)
        if number % 250 == 249:
            assert running.ask("/")[1].decode() == PAGE
            assert running.ask("/api/x")[0].status == 200
    for each in held:
        each.close()


@pytest.mark.slow
@pytest.mark.attack
def test_websockets_leave_room_for_pages(world: World) -> None:
    running = world.start(prefix=FEW)
    head = (
        "GET /ws/talk HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    answers, held = [], []
    for _ in range(90):
        each = running.raw()
        each.sendall(head.encode())
        answers.append(each.recv(12))
        held.append(each)
    assert answers[0].endswith(b"101") and answers[-1].endswith(b"503")
    assert running.ask("/")[0].status == 200
    for each in held:
        each.close()


@pytest.mark.slow
@pytest.mark.attack
def test_a_head_without_end(world: World) -> None:
    running = world.start(web=False)
    with running.raw() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        received = b""
        try:
            for _ in range(200):
                client.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")
            received = client.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert received.startswith(b"HTTP/1.1 431") or not received
    assert running.ask("/")[0].status == 200


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("tls", ["off", "self-signed"])
def test_whoever_sends_thousands_of_requests_ahead_is_cut_off(world: World, tls: str) -> None:
    """Read ahead they would cost memory without a bound, and the time that others wait for."""
    running = world.start(web=False, tls=tls)

    def connected() -> socket.socket:
        made = running.connect()
        made.connect()
        return made.sock

    with connected() as client:
        received = b""
        with suppress(OSError):
            for _ in range(100):
                client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
            while (chunk := client.recv(1 << 16)) and received.count(b"HTTP/1.1 ") < 100:
                received += chunk
    assert received.count(b"HTTP/1.1 ") < 100
    with connected() as client:  # a few are taken as they come
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
        received = b""
        while received.count(b"HTTP/1.1 ") < 5:
            received += client.recv(1 << 16)


class Transport:
    """What the door's connection sees of its socket."""

    def __init__(self) -> None:
        self.aborted = self.closed = False
        self.written = b""
        self.socket = socket.socket()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self.socket, "peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2)}.get(name)

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        self.closed = True

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.aborted or self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def never(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(3600)


def trying(act: Callable[[Waiting, Callable[[], tuple[Connection, Transport]]], None], most: int = 2) -> None:
    """Run `act` with connections in a loop."""

    async def go() -> None:
        waiting = Waiting(most)
        kind = type("Own", (Connection,), {"waiting": waiting})
        config, state = Config(never, log_level="error"), ServerState()

        def open_one() -> tuple[Connection, Transport]:
            made, transport = kind(config, state, {}), Transport()
            made.connection_made(transport)
            return made, transport

        act(waiting, open_one)

    asyncio.run(go())


POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"


def test_the_one_that_waited_longest_makes_room() -> None:
    def act(waiting: Waiting, open_one: Callable[[], tuple[Connection, Transport]]) -> None:
        (first, one), (_, two) = open_one(), open_one()
        first.data_received(POST)  # it has said what it wants
        _, three = open_one()
        assert [each.aborted for each in (one, two, three)] == [False, True, False]

    trying(act)


def test_a_head_is_owed_in_time_and_a_drip_does_not_help() -> None:
    def act(waiting: Waiting, open_one: Callable[[], tuple[Connection, Transport]]) -> None:
        made, transport = open_one()
        opened = waiting.idle[made]
        made.data_received(b"GET / HT")
        waiting.sweep(opened + connections.IDLE_S - 1)
        assert not transport.aborted
        made.data_received(b"TP/1.1\r\n")
        waiting.sweep(opened + connections.IDLE_S + 1)
        assert transport.aborted

    trying(act)


@pytest.mark.parametrize("client", ["sends no body", "takes no answer", "waits for the answer"])
def test_only_who_stalls_is_ended(client: str) -> None:
    def act(waiting: Waiting, open_one: Callable[[], tuple[Connection, Transport]]) -> None:
        made, transport = open_one()
        made.data_received(POST if client == "sends no body" else POST + b"x" * 10)
        if client == "takes no answer":
            made.pause_writing()
        waiting.sweep(made._last + connections.STALLED_S - 1)
        assert not transport.aborted
        waiting.sweep(made._last + connections.STALLED_S + 1)
        assert transport.aborted == (client != "waits for the answer")
        made.resume_writing()  # or uvicorn waits for ever to say that it was stopped

    trying(act)


def test_what_is_gone_is_forgotten() -> None:
    def act(waiting: Waiting, open_one: Callable[[], tuple[Connection, Transport]]) -> None:
        (first, _), (second, _) = open_one(), open_one()
        first.data_received(POST)
        first.connection_lost(None)
        second.connection_lost(None)
        assert not waiting.idle and not waiting.busy

    trying(act)
