"""How long `/health` takes while 64 sealed answers are streamed, against its time when idle and under 64 plain ones.

    python bench/channel_streams.py

Needs nothing built: the door runs from the sources, before a stand-in for the web server that gives each answer 20
pieces a second, as a model does. Who reads them is a process of its own. Target: the median under sealed answers is at
most twice the idle one; beside it stands what as many plain ones do. `bench/channel.py` runs this, too.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "quote_verifier/src")]

import aiohttp  # noqa: E402 - the line above makes it importable
from quote_verifier.connect.tunnel import Tunnel  # noqa: E402
from quote_verifier.sealed_http.key_config import KeyConfig  # noqa: E402

from bench import attest  # noqa: E402
from tests.door.channel.test_door import channel  # noqa: E402

BUSY = 2.0
STREAMS, SECONDS, A_SECOND = 64, 10.0, 20
PATH = f"/api/stream?count={int(SECONDS * A_SECOND)}&pause={1 / A_SECOND}"
Read = Callable[[aiohttp.ClientSession], Awaitable[int]]


async def _nothing() -> AsyncIterator[bytes]:
    for piece in tuple[bytes, ...]():
        yield piece


def _sealed(url: str, key: KeyConfig) -> Read:
    async def read(session: aiohttp.ClientSession) -> int:
        answer = await Tunnel(url, session).request(key, "GET", PATH, (), _nothing())
        return sum([piece.count(b"data:") async for piece in answer.content])

    return read


def _plain(url: str) -> Read:
    async def read(session: aiohttp.ClientSession) -> int:
        async with session.get(url + PATH) as answer:
            return sum([piece.count(b"data:") async for piece in answer.content.iter_any()])

    return read


def readers(url: str, key: KeyConfig | None, count: int) -> tuple[int, float]:
    """In a process of its own: pieces that `count` readers got, sealed to `key` or plain, and the seconds it took."""

    async def all_of_them() -> int:
        read = _sealed(url, key) if key else _plain(url)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            return sum(await asyncio.gather(*(read(session) for _ in range(count))))

    begun = time.monotonic()
    return asyncio.run(all_of_them()), time.monotonic() - begun


@dataclass(frozen=True)
class Load:
    """The median of `/health` in milliseconds, pieces a second, and the part of one core that the door took."""

    health: float
    pieces: float
    core: float


def _cpu(process: int) -> float:
    """Seconds of CPU that a process had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(port: int, door: int, key: KeyConfig) -> tuple[float, Load, Load]:
    """The median of `/health` when idle, in milliseconds, and what sealed and plain answers make of it."""
    url, loop = f"http://127.0.0.1:{port}", asyncio.get_running_loop()
    with ProcessPoolExecutor(1) as pool:

        async def under(sealed_to: KeyConfig | None) -> Load:
            before = _cpu(door)
            reading = loop.run_in_executor(pool, readers, url, sealed_to, STREAMS)
            health = await attest.health(port, reading)
            got, took = await reading
            if got != STREAMS * int(SECONDS * A_SECOND):
                raise SystemExit(f"{got} pieces came, not all")
            return Load(health, got / took, (_cpu(door) - before) / took)

        for kind in (key, None):  # everything is imported
            await loop.run_in_executor(pool, readers, url, kind, 1)
        idle = await attest.health(port, asyncio.ensure_future(asyncio.sleep(SECONDS / 2)))
        return idle, await under(key), await under(None)


def streams() -> None:
    """Measure, and print it."""
    with tempfile.TemporaryDirectory(prefix="bench-streams-") as name, channel(Path(name)) as (running, key):
        idle, sealed, plain = asyncio.run(measure(running.port, running.door.pid, key))
    print(
        f"/health under {STREAMS} sealed answers of {A_SECOND} pieces a second: {sealed.health / idle:.2f} of idle; "
        f"allowed {BUSY} (median {sealed.health:.2f} ms, idle {idle:.2f} ms, under plain ones {plain.health:.2f} ms)"
    )
    for kind, load in (("sealed", sealed), ("plain", plain)):
        print(f"    {kind:6} answers: {load.pieces:5.0f} pieces a second came, {load.core:.2f} of a core in the door")


if __name__ == "__main__":
    streams()
