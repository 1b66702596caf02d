"""TEE_CHANNEL at a door that runs: what it answers outside of the channel, and whom the web server is told of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from quote_verifier.connect.tunnel import Tunnel, TunnelError
from quote_verifier.sealed_http import messages
from quote_verifier.sealed_http.key_config import KeyConfig
from quote_verifier.sealed_http.outside import PATH

from ..conftest import Running, World
from .test_door import channel, pieces, run

pytestmark = pytest.mark.slow  # starts processes
Talking = tuple[Running, KeyConfig]


@pytest.fixture(scope="module")
def required(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talking]:
    with channel(tmp_path_factory.mktemp("required"), channel="require") as made:
        yield made


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talking]:
    with channel(tmp_path_factory.mktemp("offered"), channel="offer") as made:
        yield made


async def whole(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer.content])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/echo"),
        ("POST", "/api/v1/auths/signin"),
        ("GET", "/api/v1/tee/administrator?key=x"),
        ("GET", "/api/v1/files/1/content"),
        ("GET", "/ws/socket.io/?EIO=4&transport=polling"),
        ("POST", "/openai/chat/completions"),
        ("GET", "/cache/image/1.png"),
        ("GET", "/health/db"),
        ("GET", "/manifest.json"),
        ("GET", "/%61pi/echo"),
    ],
)
@pytest.mark.attack
def test_nothing_of_anybodys_goes_outside_where_the_channel_is_required(
    required: Talking, method: str, path: str
) -> None:
    answer, body = required[0].ask(path, method, b"{}" if method == "POST" else None, X_Tee_Channel="inside")
    assert answer.status == 403 and answer.getheader("content-type") == "application/problem+json"
    assert "only through its encrypted channel" in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "path", ["/", "/auth", "/c/1", "/_app/version.json", "/static/logo.png", "/health", "/api/v1/tee/config"]
)
def test_what_everybody_may_read_is_answered_outside(required: Talking, path: str) -> None:
    assert required[0].ask(path)[0].status == 200


@pytest.mark.attack
def test_no_socket_opens_outside_where_the_channel_is_required(required: Talking) -> None:
    async def open_one() -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"http://127.0.0.1:{required[0].port}/ws/talk")
            assert refused.value.status == 403

    asyncio.run(asyncio.wait_for(open_one(), 30))


@pytest.mark.parametrize("path", ["/oauth/google/login", "/oauth/google/callback?code=1"])
@pytest.mark.attack
def test_signing_in_with_a_provider_is_refused_outside_and_inside(required: Talking, path: str) -> None:
    answer, body = required[0].ask(path)
    assert answer.status == 403 and "sign in with a password" in json.loads(body)["detail"]

    async def test(tunnel: Tunnel, key: KeyConfig) -> None:
        assert (await tunnel.request(key, "GET", path, (), pieces())).head.status == 403

    run(required, test)


def test_everything_goes_inside(required: Talking) -> None:
    async def test(tunnel: Tunnel, key: KeyConfig) -> None:
        seen = json.loads(await whole(await tunnel.request(key, "POST", "/api/echo", (), pieces(b"words"))))
        assert [value for name, value in seen["headers"] if name == "x-tee-channel"] == ["inside"]
        socket = await tunnel.socket(key, "/ws/talk")
        kind, hello = await socket.receive()
        assert kind == messages.TEXT and json.loads(hello)["x-tee-channel"] == "inside"
        await socket.send(messages.BINARY, b"\x00words")
        assert await socket.receive() == (messages.BINARY, b"\x00words")
        await socket.send(messages.TEXT, b"bye")
        assert await socket.receive() == (messages.CLOSE, (4001).to_bytes(2, "big"))
        await socket.close()

    run(required, test)


SPELLINGS = ["X-Tee-Channel", "x_tee_channel", "X-TEE_Channel", "x-tee_channel"]


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.attack
def test_nobody_outside_says_that_they_are_inside(offered: Talking, name: str) -> None:
    connection = offered[0].connect()
    connection.request("GET", "/api/echo", headers={name: "inside"})
    seen = json.loads(connection.getresponse().read())
    assert not [each for each in seen["headers"] if "tee" in each[0]]

    async def open_one() -> None:
        address = f"http://127.0.0.1:{offered[0].port}/ws/talk"
        async with aiohttp.ClientSession(headers={name: "inside"}) as session, session.ws_connect(address) as socket:
            assert not [each for each in await socket.receive_json() if "tee" in each]

    asyncio.run(asyncio.wait_for(open_one(), 30))


@pytest.mark.parametrize("name", [each.lower() for each in SPELLINGS])
@pytest.mark.attack
def test_what_is_inside_says_nothing_of_itself_either(offered: Talking, name: str) -> None:
    async def test(tunnel: Tunnel, key: KeyConfig) -> None:
        fields = ((name, "outside"), (name, "inside"))
        seen = json.loads(await whole(await tunnel.request(key, "GET", "/api/echo", fields, pieces())))
        assert [each for each in seen["headers"] if "tee" in each[0]] == [["x-tee-channel", "inside"]]

    run(offered, test)


def test_without_a_channel_no_key_is_bound_and_nothing_sealed_is_taken(tmp_path: Path) -> None:
    with channel(tmp_path, channel="off") as (running, key):
        assert key is None

        async def test(tunnel: Tunnel, _: KeyConfig) -> None:
            with pytest.raises(TunnelError, match="no encrypted channel"):
                await tunnel.request(KeyConfig(0, bytes([9]) + bytes(31)), "GET", "/api/echo", (), pieces())

        run((running, KeyConfig(0, bytes(32))), test)
        assert running.ask("/api/echo")[0].status == 200
        assert running.ask(PATH, "POST", b"x")[0].status == 404


def test_a_door_that_is_told_another_word_does_not_start(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(pytest.fail.Exception, match="unknown in the door's configuration"):
        world.start(channel="sometimes")
    world.end()
