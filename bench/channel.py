"""What the encrypted channel costs in a browser, as ratios of the same requests outside it, in turns of one run.

    python bench/channel.py

The release offers the channel. A page of it sends everything through it; a page without its scripts, of the same
origin, sends the same requests as they are, as a session of its own. Targets: the first token of a streamed answer at
most 15 ms later, an upload of 20 MB at least at half the rate, one of 100 MB in the browser's memory at most once, at
most 45 kB gzip of code that a page loads for it, the shield 500 ms after New Chat at most, an answer of 1,000 tokens
through `quote-verifier connect` in 1.15 times the direct time, and, before a stand-in for the web server, `/health`
under 64 sealed answers within twice its idle time.
"""

from __future__ import annotations

import gzip
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - the line above makes it importable
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from bench._channel_streams import streams  # noqa: E402 - it makes quote_verifier importable
from bench.shield import ROUND, first_load  # noqa: E402
from scripts.machine import chromium  # noqa: E402
from tests.browser.pages import EMAIL, PASSWORD, enter, wait_for_round  # noqa: E402
from tests.browser.running import Server, release, serve  # noqa: E402
from tests.release.channel_client import Inside, Outside  # noqa: E402
from tests.release.connecting import connected, hold  # noqa: E402

ROUNDS = 9
LATER_MS, RATE, ADDED_BYTES, SHIELD_MS, THROUGH = 15.0, 0.5, 45_000, 500.0, 1.15
TOKENS, TELL = 1000, "Tell a very long story about a heron."
UPLOAD = 20 * 1024 * 1024
LARGE, LARGER, ONCE = 100, 300, 1.2  # MiB; in memory, of what LARGER is more
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

#: The same of a file that somebody chose.
SENT_FILE = """async ([token]) => {
    const form = new FormData();
    form.append('file', document.querySelector('#large').files[0]);
    const headers = {Authorization: `Bearer ${token}`};
    const answer = await fetch('/api/v1/files/?process=false', {method: 'POST', headers, body: form});
    if (!answer.ok) throw new Error(await answer.text());
}"""
CHOOSE = """() => {
    document.querySelector('#large')?.remove();
    document.body.append(Object.assign(document.createElement('input'), {type: 'file', id: 'large'}));
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
    print(f"New Chat to shield: {shields(within):.0f} ms; allowed {SHIELD_MS:.0f}")
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

    large(within, mine, without, theirs)


def large(within: Page, mine: str, without: Page, theirs: str) -> None:
    """What the browser holds more while it sends a file from the disk. Garbage waits to be collected as well, and does
    not grow with the file: so two sizes are compared."""
    sealed, plain = (
        [_heavier(page, token, size) for size in (LARGE, LARGER)] for page, token in ((within, mine), (without, theirs))
    )
    print(
        f"upload of {LARGE} MB: {sealed[0]:.0f} MB more in the browser (outside {plain[0]:.0f}); "
        f"of each further MB {(sealed[1] - sealed[0]) / (LARGER - LARGE):.2f}; allowed {ONCE}"
    )


def _heavier(page: Page, token: str, size: int) -> float:
    """MiB that the browser holds more, at most, while `page` sends `size` of them."""
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.truncate(size << 20)
        page.evaluate(CHOOSE)
        page.set_input_files("#large", file.name)
        before = weight()
        with Heaviest() as heaviest:
            page.evaluate(SENT_FILE, [token])
        return (heaviest.found - before) / (1 << 20)


def weight() -> int:
    """Bytes that all processes of the browser hold, what they share counted once."""
    found, children = 0, [os.getpid()]
    while children:
        process = Path(f"/proc/{children.pop()}")
        try:
            for task in (process / "task").iterdir():
                children += map(int, (task / "children").read_text().split())
            if "chrom" in str((process / "exe").readlink()):
                rollup = (process / "smaps_rollup").read_text()
                found += 1024 * int(rollup.split("\nPss:", 1)[1].split()[0])
        except OSError:  # it has ended
            continue
    return found


class Heaviest:
    """The largest `weight` in a `with`: `found`."""

    def __init__(self) -> None:
        self.found = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._end.wait(0.05):
            self.found = max(self.found, weight())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def shields(within: Page) -> float:
    """Milliseconds from a click on New Chat to the new verdict, the median."""
    return statistics.median(float(within.evaluate(ROUND, "#new-chat-button")) for _ in range(ROUNDS))


def tokens(url: str, key: str) -> float:
    """Seconds that a streamed answer of TOKENS tokens takes an API's client; what a model says less is made up for."""
    asked = {
        "model": _model(url, key),
        "stream": True,
        "max_tokens": TOKENS,
        "messages": [{"role": "user", "content": TELL}],
    }
    begun, pieces = time.perf_counter(), 0
    with httpx.stream("POST", f"{url}/chat/completions", json=asked, headers=_bearer(key), timeout=600) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            pieces += line.startswith("data: {")
    if pieces < TOKENS / 10:
        raise SystemExit(f"The model gave {pieces} pieces, which say nothing of {TOKENS}.")
    return (time.perf_counter() - begun) * TOKENS / pieces


def _model(url: str, key: str) -> str:
    return str(httpx.get(f"{url}/models", headers=_bearer(key), timeout=60).json()["data"][0]["id"])


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def by_connect(server: Server, folder: Path) -> None:
    """An API's client at `quote-verifier connect`, beside the same one at the service itself."""
    who = {"email": EMAIL, "password": PASSWORD}
    mine, theirs = (
        str(way.ask("POST", "/api/v1/auths/signin", body=who)[1]["token"])  # each is good where it was made
        for way in (Inside(server.url), Outside(server.url))
    )
    with connected(server.url, hold(server, folder / "held.json"), folder, "--accept", "simulated") as running:
        address = running.said()["address"]
        pairs = [(tokens(address, mine), tokens(f"{server.url}/api", theirs)) for _ in range(3)]
    sealed, plain = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"{TOKENS} tokens streamed through connect: {sealed / plain:.2f} of the direct time; allowed {THROUGH} "
        f"({sealed:.1f} s, direct {plain:.1f} s)"
    )


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
    program = chromium.find()
    size(launcher.parent / "backend/open_webui/frontend")
    with (
        tempfile.TemporaryDirectory(prefix="bench-channel-") as name,
        serve(launcher, Path(name) / "data", TEE_CHANNEL="offer") as server,
    ):
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            compare(browser, server.url)
            browser.close()
        by_connect(server, Path(name))
    streams()


if __name__ == "__main__":
    main()
