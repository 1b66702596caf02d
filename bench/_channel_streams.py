"""How long `/health` takes while 64 sealed answers are streamed, against its time when idle and under 64 plain ones.

    python bench/_channel_streams.py

Needs nothing built: the door runs from the sources, before a stand-in for the web server that gives each answer 20
pieces a second, as a model does. Who reads them is a process of its own. Target: the median under sealed answers is at
most twice the idle one; beside it stands what as many plain ones do. `bench/channel.py` runs this, too.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "quote_verifier/src")]

import aiohttp  # noqa: E402 - the line above makes it importable
from quote_verifier.connect.tunnel import Tunnel  # noqa: E402
from quote_verifier.sealed_http.key_config import KeyConfig  # noqa: E402

from bench import attest  # noqa: E402
from tests.door.channel.test_door import channel  # noqa: E402

BUSY = 2.0
STREAMS, SECONDS, A_SECOND, ROUNDS = 64, 5.0, 20, 3
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


def readers(url: str, key: KeyConfig | None, count: int) -> int:
    """In a process of its own: pieces that `count` readers got, sealed to `key` or plain."""

    async def all_of_them() -> int:
        read = _sealed(url, key) if key else _plain(url)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

            async def one(number: int) -> int:
                await asyncio.sleep(number / count / A_SECOND)  # models do not speak in step
                return await read(session)

            return sum(await asyncio.gather(*map(one, range(count))))

    return asyncio.run(all_of_them())


@dataclass(frozen=True)
class Load:
    """The median of `/health` in milliseconds, and the part of one core that the door took; medians of the rounds."""

    health: float
    core: float


def _cpu(process: int) -> float:
    """Seconds of CPU that a process had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def health(port: int, running: asyncio.Future[Any]) -> float:
    """Median milliseconds of /health until `running` ends, asked now and then: in step with what is streamed it would
    meet every piece, or none."""
    client, taken = attest.Client(port), list[float]()
    while not running.done():
        begun = time.monotonic()
        await client.get("/health")
        taken.append((time.monotonic() - begun) * 1000)
        await asyncio.sleep(random.uniform(0.01, 0.06))
    return statistics.median(taken)


async def measure(port: int, door: int, key: KeyConfig) -> dict[str, Load]:
    """What there is when idle, under sealed answers and under plain ones, in turns."""
    url, loop = f"http://127.0.0.1:{port}", asyncio.get_running_loop()
    found: dict[str, list[Load]] = {"idle": [], "sealed": [], "plain": []}
    with ProcessPoolExecutor(1) as pool:
        for sealed_to in (key, None):  # everything is imported
            await loop.run_in_executor(pool, readers, url, sealed_to, 1)
        for kind in ROUNDS * list(found):
            before, begun = _cpu(door), time.monotonic()
            if kind == "idle":
                median = await health(port, asyncio.ensure_future(asyncio.sleep(SECONDS)))
            else:
                reading = loop.run_in_executor(pool, readers, url, key if kind == "sealed" else None, STREAMS)
                median = await health(port, reading)
                if (got := await reading) != STREAMS * int(SECONDS * A_SECOND):
                    raise SystemExit(f"{got} pieces came, not all")
            found[kind].append(Load(median, (_cpu(door) - before) / (time.monotonic() - begun)))
    return {
        kind: Load(statistics.median(each.health for each in loads), statistics.median(each.core for each in loads))
        for kind, loads in found.items()
    }


def streams() -> None:
    """Measure, and print it."""
    with tempfile.TemporaryDirectory(prefix="bench-streams-") as name, channel(Path(name)) as (running, key):
        found = asyncio.run(measure(running.port, running.door.pid, key))
    idle, sealed, plain = (found[kind].health for kind in ("idle", "sealed", "plain"))
    print(
        f"/health under {STREAMS} sealed answers of {A_SECOND} pieces a second: {sealed / idle:.2f} of idle; "
        f"allowed {BUSY} ({sealed:.2f} ms, idle {idle:.2f} ms, under plain ones {plain:.2f} ms; the door took "
        f"{found['sealed'].core:.2f} of a core, for plain ones {found['plain'].core:.2f})"
    )


if __name__ == "__main__":
    streams()
