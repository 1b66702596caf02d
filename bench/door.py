"""What the door costs: page loads, streamed answers and uploads through it, as ratios of the web server's own rate.

`python -m bench.door` starts the release with TLS off and asks the door and the web server's Unix socket, in turns; a
stand-in for the web server streams short pieces as fast as it can. The floor for each ratio is 0.8 (1.0: as fast as
without a door). Uploads are refused at their end for want of a login: read they are.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from tests.browser.running import release, serve
from tests.door.conftest import World

ROUNDS = 5
UPLOAD = 100 * 1024 * 1024
PIECES = 20_000
FLOOR = 0.8
Work = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


async def page(session: aiohttp.ClientSession, base: str) -> None:
    """The page and everything that it names."""
    async with session.get(f"{base}/") as answer:
        text = await answer.text()

    async def load(path: str) -> None:
        async with session.get(base + path) as answer:
            await answer.read()

    await asyncio.gather(*(load(path) for path in set(re.findall(r'(?:src|href)="(/[^"]+)"', text))))


async def upload(session: aiohttp.ClientSession, base: str) -> None:
    """100 MB as a form with a file."""
    form = aiohttp.FormData()
    form.add_field("file", bytes(UPLOAD), filename="a.bin")
    async with session.post(f"{base}/api/v1/files/", data=form) as answer:
        await answer.read()
        assert answer.status in (401, 403), answer.status


async def streamed(session: aiohttp.ClientSession, base: str) -> None:
    """Many short pieces."""
    async with session.get(f"{base}/api/chunks?count={PIECES}") as answer:
        async for _ in answer.content.iter_any():
            pass


async def seconds(work: Work, url: str, socket: Path | None) -> float:
    connector = aiohttp.UnixConnector(str(socket)) if socket else None
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter()
        await work(session, url)
        return time.perf_counter() - began


async def ratio(work: Work, url: str, socket: Path) -> float:
    """How fast it is through the door, of how fast the web server is: medians of rounds in turns."""
    through, direct = [], []
    for _ in range(ROUNDS):
        direct.append(await seconds(work, "http://web-server", socket))
        through.append(await seconds(work, url, None))
    return statistics.median(direct) / statistics.median(through)


def main() -> None:
    launcher = release()
    if launcher is None:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    with tempfile.TemporaryDirectory() as folder:
        with serve(launcher, Path(folder) / "data", LLM="none") as server:
            socket = server.data / "run/sockets/web/web.sock"
            found = {
                "page load": asyncio.run(ratio(page, server.url, socket)),
                "upload of 100 MB": asyncio.run(ratio(upload, server.url, socket)),
            }
        world = World(Path(folder))
        try:
            running = world.start()
            url = f"http://127.0.0.1:{running.port}"
            found["streamed answer"] = asyncio.run(ratio(streamed, url, running.behind))
        finally:
            world.end()
    for name, value in found.items():
        print(f"{name:18} {value:6.2f} of the web server's own rate" + ("" if value >= FLOOR else f"  BELOW {FLOOR}"))


if __name__ == "__main__":
    main()
