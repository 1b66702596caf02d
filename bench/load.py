"""How long /health takes while 64 clients ask for quotes at once, against its time when idle, in one run.

Needs the release in dist/ (`make bench` builds it). The simulator takes 20 ms a quote, as hardware does.
Target: under load, the median of /health is at most twice the idle one.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 64
SECONDS = 10.0
QUOTE_MS = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_healthy(web: httpx.AsyncClient, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit(f"The release stopped with {server.returncode}; its messages are above.")
        try:
            if (await web.get("/health")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.5)
    raise SystemExit("The release was not healthy after five minutes.")


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


async def measure(url: str, server: subprocess.Popen[bytes]) -> None:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with (
        httpx.AsyncClient(base_url=url, timeout=30) as web,
        httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as load,
    ):
        await until_healthy(web, server)
        await health_median_ms(web, 2)  # warm up
        idle, _ = await health_median_ms(web, SECONDS)
        end = time.monotonic() + SECONDS
        (busy, samples), *counts = await asyncio.gather(
            health_median_ms(web, SECONDS), *(ask(load, end) for _ in range(CLIENTS))
        )
    print(f"/health median, idle:                 {idle:7.2f} ms")
    load_text = f"({samples} samples, {sum(counts) / SECONDS:.0f} quotes a second)"
    print(f"/health median, {CLIENTS} clients on quotes: {busy:7.2f} ms   {load_text}")
    print(f"ratio:                                {busy / idle:7.2f}      (target: at most 2)")


def main() -> None:
    launchers = sorted((ROOT / "dist").glob("open-webui-tdx-*/open-webui-tdx"))
    if not launchers:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        environ = os.environ | {
            "PORT": str(port),
            "DATA_DIR": data,
            "TDX": "simulated",
            "TDX_SIM_DELAY_MS": str(QUOTE_MS),
            "LLM": "none",
            "TEE_RATE_LIMIT": "100000",
        }
        server = subprocess.Popen([str(launchers[-1])], env=environ, stdout=sys.stderr)
        try:
            asyncio.run(measure(f"http://127.0.0.1:{port}", server))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


if __name__ == "__main__":
    main()
