"""What the encrypted channel costs in a browser, as ratios of the same requests outside it, in turns of one run.

    python bench/channel.py

The release offers the channel. A page of it sends everything through it; a page without its scripts, of the same
origin, sends the same requests as they are, as a session of its own. Targets: the first token of a streamed answer at
most 15 ms later, an upload of 20 MB at least at half the rate, the code that a page loads for it at most 45 kB gzip,
`/health` under 64 sealed requests at a time within twice the idle time.
"""

from __future__ import annotations

import base64
import gzip
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - the line above makes it importable
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from bench.shield import first_load  # noqa: E402
from scripts.machine import chromium  # noqa: E402
from sealed_http.key_config import KeyConfig, decode  # noqa: E402
from sealed_http.outside import PATH, REQUEST_TYPE  # noqa: E402
from tests.browser.pages import EMAIL, PASSWORD, enter, wait_for_round  # noqa: E402
from tests.browser.running import release, serve  # noqa: E402

ROUNDS = 9
LATER_MS, RATE, ADDED_BYTES, BUSY = 15.0, 0.5, 45_000, 2.0
STREAMS = 64
UPLOAD = 20 * 1024 * 1024
#: Milliseconds until the first piece of a streamed answer.
FIRST = """async (token) => {
    const headers = {Authorization: `Bearer ${token}`, 'Content-Type': 'application/json'};
    const models = await (await fetch('/api/models', {headers})).json();
    const messages = [{role: 'user', content: 'Say hello.'}];
    const body = JSON.stringify({model: models.data[0].id, stream: true, max_tokens: 4, messages});
    const begun = performance.now();
    const answer = await fetch('/api/chat/completions', {method: 'POST', headers, body});
    const reader = answer.body.getReader();
    await reader.read();
    const first = performance.now() - begun;
    while (!(await reader.read()).done);
    return first;
}"""
#: Milliseconds that an upload takes.
SENT = """async ([token, size]) => {
    const form = new FormData();
    form.append('file', new File([new Uint8Array(size)], 'a.bin'));
    const headers = {Authorization: `Bearer ${token}`};
    const begun = performance.now();
    const answer = await fetch('/api/v1/files/?process=false', {method: 'POST', headers, body: form});
    if (!answer.ok) throw new Error(await answer.text());
    return performance.now() - begun;
}"""


def pages(browser: Browser, url: str) -> tuple[tuple[Page, str], tuple[Page, str]]:
    """A page inside and one outside, each with its session's token."""
    within = browser.new_context().new_page()
    enter(within, url)
    wait_for_round(within)
    without = browser.new_context().new_page()
    without.goto(f"{url}/static/favicon.png")
    token = httpx.post(f"{url}/api/v1/auths/signin", json={"email": EMAIL, "password": PASSWORD}).json()["token"]
    return (within, str(within.evaluate("localStorage.token"))), (without, token)


def in_turns(inside: Any, outside: Any) -> tuple[float, float]:
    """Medians of both, in milliseconds."""
    inside(), outside()  # into memory
    pairs = [(inside(), outside()) for _ in range(ROUNDS)]
    return tuple(statistics.median(times) for times in zip(*pairs, strict=True))


def compare(browser: Browser, url: str) -> None:
    (within, mine), (without, theirs) = pages(browser, url)
    sealed, plain = in_turns(lambda: within.evaluate(FIRST, mine), lambda: without.evaluate(FIRST, theirs))
    print(
        f"first token: {sealed - plain:+.1f} ms of the {LATER_MS:.0f} ms allowed "
        f"({sealed:.0f} ms, outside {plain:.0f} ms)"
    )
    sealed, plain = in_turns(
        lambda: within.evaluate(SENT, [mine, UPLOAD]), lambda: without.evaluate(SENT, [theirs, UPLOAD])
    )
    print(
        f"upload of 20 MB: {plain / sealed:.2f} of the rate outside; floor {RATE} "
        f"({sealed:.0f} ms, outside {plain:.0f} ms)"
    )


def health(url: str) -> float:
    """Milliseconds, the median of some."""
    times = []
    with httpx.Client() as client:
        for _ in range(50):
            begun = time.perf_counter()
            client.get(f"{url}/health").raise_for_status()
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def under_streams(url: str, key: KeyConfig) -> None:
    """`/health` while clients send sealed requests without a pause, STREAMS at a time."""
    from email.utils import formatdate

    from sealed_http.binary_http import Head
    from tests.door.channel.sealing import Sealed

    idle, over = health(url), threading.Event()
    host = url.partition("://")[2]

    def ask() -> None:
        with httpx.Client(timeout=60) as client:
            while not over.is_set():
                date = ("date", formatdate(time.time(), usegmt=True))
                sealed = Sealed(key, Head((date,), "GET", host, "/static/favicon.png"))
                client.post(f"{url}{PATH}", content=sealed.request, headers={"Content-Type": REQUEST_TYPE})

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(STREAMS)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    busy = health(url)
    over.set()
    for thread in threads:
        thread.join()
    print(f"/health under {STREAMS} sealed requests: {busy / idle:.2f} of idle; allowed {BUSY} ({busy:.1f} ms)")


def bound_key(url: str) -> KeyConfig:
    """The key of the channel, as the evidence has it: whether it is to be trusted is no question here."""
    bound = httpx.get(f"{url}/api/v1/tee/quote").json()["runtime_data"]["channel"]
    return decode(base64.urlsafe_b64decode(bound + "=" * (-len(bound) % 4)))


def size(frontend: Path) -> None:
    """Of our own code: what is loaded first, and the channel's file, which a page loads with the first key."""
    scripts = [path for path in frontend.glob("_app/immutable/**/*.js") if "workers" not in path.parts]
    channel = [path for path in scripts if "message/bhttp chunked request" in path.read_text(encoding="utf-8")]
    later = sum(len(gzip.compress(path.read_bytes(), 9)) for path in channel)
    added = first_load(frontend) + later
    print(f"loaded with a page: {added} bytes gzip, {later} of them the channel's; allowed {ADDED_BYTES}")


def main() -> None:
    launcher = release()
    if launcher is None:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    size(launcher.parent / "backend/open_webui/frontend")
    with tempfile.TemporaryDirectory(prefix="bench-channel-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox", "--disable-gpu"])
        with serve(launcher, Path(name) / "data", TEE_CHANNEL="offer") as server:
            compare(browser, server.url)
            under_streams(server.url, bound_key(server.url))
        browser.close()


if __name__ == "__main__":
    main()
