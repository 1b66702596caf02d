"""A door that runs for long: bad messages by the thousand leave nothing behind, new keys lose and repeat nothing."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import aiohttp
import pytest
from quote_verifier.connect.carrying import Carrier
from quote_verifier.connect.tunnel import Tunnel
from quote_verifier.connect.watching import Judged, Watch

from door.channel.keys import Keys
from sealed_http import varint
from sealed_http.binary_http import Head
from sealed_http.exchange import ClientExchange
from sealed_http.key_config import KeyConfig
from sealed_http.outside import PATH, REQUEST_TYPE
from sealed_http.stream import seal

from ..conftest import Running
from .sealing import Sealed
from .test_door import bound, channel

pytestmark = pytest.mark.slow  # starts processes

AT_A_TIME = 8
WARMED, ALL = 2_000, 10_000
KEPT_KIB = 4096  # what an allocator may keep without a leak; a leak of 1 kB each would be 8,000


def _head(path: str = "/api/count?word=bad", at: float = 0.0) -> Head:
    return Head((("date", formatdate(time() + at, usegmt=True)),), "POST", "chat.example", path)


def _asked(body: bytes, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: chat.example\r\nContent-Type: {REQUEST_TYPE}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode() + body


def _endless_head(key: KeyConfig) -> bytes:
    """A request whose path says that it has 100,000 bytes, the first of which are there."""
    exchange = ClientExchange(key)
    begin = b"\2\4POST\5https\x0cchat.example" + varint.encode(100_000)
    return exchange.prefix + b"".join(seal(exchange.request, part + b"/" * 16_000) for part in (begin, b"", b""))


def bad_messages(key: KeyConfig, taken: bytes) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """Messages, and the statuses that each may get; none: its client leaves in the middle. `taken` was taken before."""
    good = Sealed(key, _head(), bytes(3000))
    long = Sealed(key, _head(), bytes(1_500_000)).request  # begins to be passed on before it is whole
    other = KeyConfig(key.key_id, Keys().current.public_key)
    beginning = good.parts[0]
    return [
        (_asked(b""), (b"400",)),
        (_asked(os.urandom(300)), (b"400",)),
        *((_asked(good.request[:size]), (b"400",)) for size in (20, 39, 200, 400, 3000)),
        (_asked(good.request[:-1] + bytes([good.request[-1] ^ 1])), (b"400", b"409")),
        (_asked(Sealed(other, _head()).request), (b"400",)),
        (_asked(Sealed(KeyConfig(9, key.public_key), _head()).request), (b"400",)),
        (_asked(beginning + b"\xbf\xff\xff\xff" + bytes(400)), (b"400",)),
        (_asked(beginning + b"\x40\x20" + bytes(1000)), (b"400",)),
        (_asked(_endless_head(key)), (b"400",)),
        (_asked(Sealed(key, _head(at=-600)).request), (b"400",)),
        (_asked(taken), (b"409",)),
        (_asked(good.request[:1500], 3000), ()),
        (_asked(good.request[:20], 3000), ()),
        (_asked(long[:1_200_000], len(long)), ()),
    ]


class Asker:
    """One connection, which is made anew where the door ends it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, message: bytes, statuses: tuple[bytes, ...]) -> None:
        reader, writer = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
        self._streams = (reader, writer)
        writer.write(message)
        if not statuses:
            with suppress(ConnectionError):
                await writer.drain()
            return await self.close()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.split()[1] in statuses, (head, message[:200])
        await reader.readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
        if b"connection: close" in head:
            await self.close()

    async def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            with suppress(ConnectionError):
                await self._streams[1].wait_closed()
        self._streams = None


def held(process: int) -> tuple[int, int]:
    """KiB of memory, and open files."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]), len(list(Path(f"/proc/{process}/fd").iterdir()))


async def _garbage_for_sockets(port: int, times: int) -> None:
    async with aiohttp.ClientSession() as session:
        for number in range(times):
            async with session.ws_connect(f"http://127.0.0.1:{port}{PATH}") as socket:
                await socket.send_bytes(os.urandom(number % 700))
                assert (await socket.receive()).data == 4400


async def _attack(running: Running, key: KeyConfig) -> list[tuple[int, int]]:
    """What the door holds after some, and after all."""
    good = Sealed(key, _head("/api/count?word=good"), b"x")
    found = list[tuple[int, int]]()
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{running.port}{PATH}"
        async with session.post(url, data=good.request, headers={"Content-Type": REQUEST_TYPE}) as answer:
            assert answer.status == 200 and json.loads(good.read(await answer.read())[1])["good"] == [1, 1]
    messages = bad_messages(key, good.request)

    async def some(numbers: range) -> None:
        mine = Asker(running.port)
        for number in numbers:
            await mine.ask(*messages[number % len(messages)])
        await mine.close()

    for begin, end in ((0, WARMED), (WARMED, ALL)):
        await asyncio.gather(*(some(range(begin + mine, end, AT_A_TIME)) for mine in range(AT_A_TIME)))
        await _garbage_for_sockets(running.port, (end - begin) // 40)
        await asyncio.sleep(0.5)  # what has ended is put away
        found.append(held(running.door.pid))
    return found


@pytest.mark.attack
def test_ten_thousand_bad_messages_at_a_door_that_runs(tmp_path: Path) -> None:
    """Memory and open files stay, and the web server takes nothing of them for a request."""
    with channel(tmp_path) as (running, key):
        own = KeyConfig(key.key_id, key.public_key)
        early, late = asyncio.run(asyncio.wait_for(_attack(running, own), 300))
        assert late[1] <= early[1], "open files"
        assert late[0] - early[0] < KEPT_KIB, (early, late)
        counted = json.loads(running.ask("/api/count")[1])
        assert counted["good"] == [1, 1] and counted.get("bad", [0, 0])[1] == 0
        assert b"Traceback" not in running.log.read_bytes()


ROTATING = """
import runpy, door.channel.keys as keys
keys.DAY_S, keys.OVERLAP_S = 0.5, 0.25
runpy.run_module('door', run_name='__main__')
"""


async def _chats(running: Running, heard: list[bytes]) -> int:
    """200 requests while the key is another one again and again: how many keys there were."""
    async with aiohttp.ClientSession() as session:
        watch = Watch(lambda: Judged("verified", time(), bound(heard)))
        await watch.check()
        carrier = Carrier(Tunnel(f"http://127.0.0.1:{running.port}", session), watch)

        async def chat(number: int) -> None:
            await asyncio.sleep(number * 0.02)
            answer = await carrier.ask("POST", f"/api/count?word={number}", (), b"words")
            assert answer.head.status == 200 and [piece async for piece in answer.content]

        await asyncio.gather(*(chat(number) for number in range(200)))
        return len(heard)


def test_no_request_waits_for_a_new_key_or_comes_twice(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with channel(tmp_path, heard, entry=("-c", ROTATING)) as (running, _):
        keys = asyncio.run(asyncio.wait_for(_chats(running, heard), 60))
        counted: dict[str, Any] = json.loads(running.ask("/api/count")[1])
        assert keys > 4 and counted == {str(number): [1, 1] for number in range(200)}
