"""How long /health of the whole release takes while 64 clients ask for quotes, against its time when idle, in one run.

Needs the release in dist/ (`make bench` builds it). The simulator takes 20 ms a quote, as hardware does. The clients
are a process of their own and ask four times as often as it could answer one by one. `bench/attest.py` tells what 512
clients meet before a stand-in for the web server. Target: under load, the median is at most twice the idle one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import attest
from tests.browser.running import release, serve

CLIENTS = 64
SECONDS = 10.0
OFFERED = 4.0  # times the device's rate


async def measure(port: int) -> None:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1) as pool:
        await loop.run_in_executor(pool, attest.clients, port, 1, 10, 0.0)  # everything is imported and connected
        idle = await attest.health(port, asyncio.ensure_future(asyncio.sleep(SECONDS)))
        answers, pause = int(OFFERED / attest.QUOTE_S * SECONDS), CLIENTS * attest.QUOTE_S / OFFERED
        asking = loop.run_in_executor(pool, attest.clients, port, CLIENTS, answers, pause)
        busy = await attest.health(port, asking)
        waits, took = await asking
        await loop.run_in_executor(pool, attest.judge_the_rest)
    print(f"/health median, idle:                 {idle:7.2f} ms")
    print(f"/health median, {CLIENTS} clients on quotes: {busy:7.2f} ms   ({len(waits) / took:.0f} quotes a second)")
    print(f"ratio:                                {busy / idle:7.2f}      (target: at most 2)")


def main() -> None:
    launcher = release()
    if launcher is None:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    settings: dict[str, Any] = {"TDX_SIM_DELAY_MS": str(int(attest.QUOTE_S * 1000)), "LLM": "none"}
    with tempfile.TemporaryDirectory() as folder, serve(launcher, Path(folder) / "data", **settings) as server:
        asyncio.run(measure(urlsplit(server.url).port or 0))


if __name__ == "__main__":
    main()
