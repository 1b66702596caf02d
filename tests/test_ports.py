"""A port that a server is to listen on is nobody else's by the time it does."""

from __future__ import annotations

import socket

import pytest

from tests import ports


def test_a_free_port_is_none_that_the_kernel_gives_away() -> None:
    first, last = map(int, ports.RANGE.read_text().split())
    for _ in range(100):
        port = ports.free_port()
        assert port >= ports.LOWEST and not first <= port <= last
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_port_that_somebody_has_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", ports.free_port())) as taken:
        port, other = taken.getsockname()[1], ports.free_port()
        choices = iter([port, port, other])
        monkeypatch.setattr("random.randrange", lambda *_: next(choices))
        assert ports.free_port() == other
