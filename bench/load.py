"""How long /health takes while 64 clients ask for quotes at once, against its time when idle, in one run.

Needs the release in dist/ (`make bench` builds it). The simulator takes 20 ms a quote, as hardware does.
Target: under load, the median of /health is at most twice the idle one.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.running import release, serve

CLIENTS = 64
SECONDS = 10.0
QUOTE_MS = 20


async def health_median_ms(web: httpx.AsyncClient, seconds: float) -> tuple[float, int]:
    """Median milliseconds of /health, asked 20 times a second."""
    taken = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        (await web.get("/health")).raise_for_status()
        taken.append((time.monotonic() - start) * 1000)
        await asyncio.sleep(0.05)
    return statistics.median(taken), len(taken)


async def ask(web: httpx.AsyncClient, end: float) -> int:
    """Fresh quotes one after another until `end`; how many."""
    count = 0
    while time.monotonic() < end:
        nonce = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
        (await web.get("/api/v1/tee/quote", params={"nonce": nonce})).raise_for_status()
        count += 1
    return count


async def measure(url: str) -> None:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with (
        httpx.AsyncClient(base_url=url, timeout=30) as web,
        httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as load,
    ):
        await health_median_ms(web, 2)  # warm up
        idle, _ = await health_median_ms(web, SECONDS)
        end = time.monotonic() + SECONDS
        clients = [asyncio.create_task(ask(load, end)) for _ in range(CLIENTS)]
        busy, samples = await health_median_ms(web, SECONDS)
        counts = [await client for client in clients]
    print(f"/health median, idle:                 {idle:7.2f} ms")
    load_text = f"({samples} samples, {sum(counts) / SECONDS:.0f} quotes a second)"
    print(f"/health median, {CLIENTS} clients on quotes: {busy:7.2f} ms   {load_text}")
    print(f"ratio:                                {busy / idle:7.2f}      (target: at most 2)")


def main() -> None:
    launcher = release()
    if launcher is None:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    settings: dict[str, Any] = {"TDX_SIM_DELAY_MS": str(QUOTE_MS), "LLM": "none"}
    with tempfile.TemporaryDirectory() as folder, serve(launcher, Path(folder) / "data", **settings) as server:
        asyncio.run(measure(server.url))


if __name__ == "__main__":
    main()
