"""How many askers one device of 20 ms a quote serves through the door, and what /health and memory say, in one run.

Needs nothing built: the door and the attester run from the sources, before a stand-in for the web server. Signature,
nonce and proof of every answer are verified. Run: `python bench/attest.py [--answers 100000]`, on a machine that does
nothing else. Targets: 512 clients get at least 15 times the device's own rate, with a median wait of at most 2.5
quotes; the median of /health is at most twice the idle one; memory stays where it is; at the attester's socket it is
at least 100 times the device's rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "quote_verifier/src"))

from quote_verifier.binding import check_nonce
from quote_verifier.collateral import Seen, parse_collateral
from quote_verifier.encoding import to_base64url
from quote_verifier.genuine import verify_quote
from quote_verifier.quote import Quote, parse_quote
from quote_verifier.strictjson import load_object

from simulator.collateral import collateral
from tests import compiled

ROOT = compiled.ROOT
CLIENTS = 512
QUOTE_S = 0.020
SECONDS = 10.0
OFFERED = 16.0  # times the device's rate, from clients that pause between their questions
HEADER_LIMIT = 1 << 20


@dataclass
class Judge:
    """Verifies every answer; a quote that several answers share has its signature verified once."""

    quotes: dict[str, Quote] = field(default_factory=dict)

    def __call__(self, body: bytes, nonce: str) -> None:
        evidence = load_object(body, "the evidence")
        quote = self.quotes.get(evidence["quote"])
        if quote is None:
            quote = parse_quote(bytes.fromhex(evidence["quote"]))
            verify_quote(quote, parse_collateral(_collateral()), int(time.time()), Seen())
            self.quotes = {evidence["quote"]: quote, **dict(list(self.quotes.items())[:7])}
        check = check_nonce(evidence, nonce, datetime.now(UTC), quote, int(time.time()), 600)
        if check.status != "pass":
            raise SystemExit(f"an answer is refused: {check.detail}")


def _collateral(made: dict[str, Any] = {}) -> dict[str, Any]:  # noqa: B006 -- made once
    made.update(made or collateral(datetime.now(UTC)))
    return made


class Client:
    """One connection that is kept, as a browser keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=HEADER_LIMIT)
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        body = await reader.readexactly(size)
        if b" 200 " not in head[:20]:
            raise SystemExit(f"{path}: {head!r} {body[:200]!r}")
        return body

    async def ask(self) -> tuple[float, bytes, str]:
        """Seconds for one answer, the answer, and the nonce that it is for."""
        nonce = to_base64url(os.urandom(32))
        begun = time.monotonic()
        body = await self.get(f"/api/v1/tee/quote?nonce={nonce}")
        return time.monotonic() - begun, body, nonce


unjudged: list[tuple[bytes, str]] = []  # answers and their nonces, in the process of the clients


async def _clients(port: int, count: int, answers: int, pause: float) -> tuple[list[float], float]:
    """`answers` verified answers to `count` clients, each of which asks again `pause` seconds after it asked.

    Answers to clients that pause are left in `unjudged`: these clients stand for people at machines of their own, none
    of whom waits for what another one's machine computes.
    """
    judge, waits = Judge(), list[float]()
    begun = time.monotonic()

    async def one(number: int) -> None:
        client = Client(port)
        due = time.monotonic() + pause * number / count
        while len(waits) < answers:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + pause, time.monotonic())
            taken, body, nonce = await client.ask()
            waits.append(taken)
            if pause:
                unjudged.append((body, nonce))
            else:
                judge(body, nonce)

    await asyncio.gather(*(one(number) for number in range(count)))
    return waits, time.monotonic() - begun


def clients(port: int, count: int, answers: int, pause: float) -> tuple[list[float], float]:
    """In a process of its own: the waits, and the seconds that it took."""
    return asyncio.run(_clients(port, count, answers, pause))


def judge_the_rest() -> None:
    """In the process of the clients: verify what was left."""
    judge = Judge()
    while unjudged:
        judge(*unjudged.pop(0))


async def health(port: int, running: asyncio.Future[Any]) -> float:
    """Median milliseconds of /health, asked 20 times a second until `running` ends."""
    client, taken = Client(port), list[float]()
    while not running.done():
        begun = time.monotonic()
        await client.get("/health")
        taken.append((time.monotonic() - begun) * 1000)
        await asyncio.sleep(0.05)
    return statistics.median(taken)


async def _exchange(path: Path, request: Any, times: int) -> float:
    """Seconds a request at the attester's socket, one after another."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 28)
    line, begun = json.dumps(request).encode() + b"\n", time.monotonic()
    for _ in range(times):
        writer.write(line)
        await writer.drain()
        if not (await reader.readline()).startswith(b'{"ok":true'):
            raise SystemExit("the attester refused")
    writer.close()
    return (time.monotonic() - begun) / times


async def at_the_socket(path: Path) -> float:
    """Proofs a second, to 4 connections that ask for 2,048 nonces at a time."""
    nonces = [to_base64url(os.urandom(32)) for _ in range(2048)]
    each = await asyncio.gather(*(_exchange(path, {"nonces": nonces}, 10) for _ in range(4)))
    return 4 * len(nonces) / statistics.mean(each)


def rss(process: int) -> float:
    """MiB of memory that a process holds."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def _plugin(folder: Path) -> Path:
    """The plugin with its compiled extension, to be imported from there."""
    shutil.copytree(ROOT / "quote_generator", folder / "quote_generator")
    shutil.copy(compiled.extension(), folder / "quote_generator")
    return folder


@contextmanager
def attester(folder: Path) -> Iterator[tuple[Path, int]]:
    """An attester before a device of 20 ms; its socket and process."""
    path = folder / "attester.sock"
    (folder / "state").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(_plugin(folder / "plugin")),
        "PYTHONSAFEPATH": "1",
        "LD_LIBRARY_PATH": str(compiled.simulator().parent),
        "TDX_SIM_STATE": str(folder / "state"),
        "TDX_SIM_DELAY_MS": str(int(QUOTE_S * 1000)),
    }
    command = [sys.executable, "-m", "quote_generator.attester", "--socket", str(path)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not path.exists():
            if process.poll() is not None:
                raise SystemExit("the attester did not start")
            time.sleep(0.02)
        yield path, process.pid
    finally:
        process.terminate()
        process.wait(10)


async def measure(port: int, path: Path, processes: tuple[int, int], answers: int) -> None:
    print(f"other programs:                   {os.getloadavg()[0]:8.2f} wait for {os.cpu_count()} cores (load average)")
    quote = await _exchange(path, {}, 100)
    print(f"the device's own rate:            {1 / quote:8.1f} quotes a second")
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1) as pool:

        async def run(count: int, total: int, pause: float = 0.0) -> tuple[list[float], float, float]:
            running = loop.run_in_executor(pool, clients, port, count, total, pause)
            meanwhile = await health(port, running)
            return *(await running), meanwhile

        await run(1, 10)  # everything is imported and connected
        waits, _, _ = await run(1, 100)
        print(f"one client's median wait:         {statistics.median(waits) / quote:8.2f} quotes")
        idle = await health(port, asyncio.ensure_future(asyncio.sleep(5)))
        pause = CLIENTS * quote / OFFERED
        waits, took, busy = await run(CLIENTS, int(OFFERED / quote * SECONDS), pause)
        await loop.run_in_executor(pool, judge_the_rest)
        rate, median = len(waits) / took * quote, statistics.median(waits) / quote
        print(f"{CLIENTS} clients that pause:          {rate:8.1f} times that rate (target: at least 15)")
        print(f"their median wait:                {median:8.2f} quotes (target: at most 2.5)")
        print(f"/health meanwhile:                {busy / idle:8.2f} times its idle median (target: at most 2)")
        waits, took, busy = await run(CLIENTS, answers // 2)
        rate, before = len(waits) / took * quote, [rss(process) for process in processes]
        print(f"{CLIENTS} clients without a pause:  {rate:8.1f} times, /health {busy / idle:.2f} times its idle median")
        await run(CLIENTS, answers - answers // 2)
        after = [rss(process) for process in processes]
        for name, first, last in zip(("door", "attester"), before, after, strict=True):
            print(f"memory of the {name + ':':18} {last:9.1f} MiB, {last - first:+.1f} MiB over {answers // 2} answers")
    print(f"at the attester's socket:         {await at_the_socket(path) * quote:8.1f} times (target: at least 100)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    options = parser.parse_args()
    from tests.door.conftest import World

    with tempfile.TemporaryDirectory() as name, attester(Path(name)) as (path, process):
        world = World(Path(name))
        try:
            told = {"TEE_LAUNCH": "measured", "TEE_ATTESTER_SOCKET": str(path), "TEE_KIND": "tdx-simulated"}
            door = world.start(told=told)
            asyncio.run(measure(door.port, path, (door.door.pid, process), options.answers))
        finally:
            world.end()


if __name__ == "__main__":
    main()
