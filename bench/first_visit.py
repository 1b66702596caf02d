"""How long somebody's first visit takes, beside the same pages from the web server alone, as upstream serves them.

    python bench/first_visit.py

An empty browser opens the page for signing in; the visit ends when its form can be used. Turn by turn, from the door
(files compressed when they were built, kept for good by their names) and from upstream's own web server (which
compresses each answer anew and lets the browser ask again), on loopback and over a line like a phone's (10 Mbit/s,
40 ms), which the browser imitates. Then a second visit. Targets: a first visit of at most 3 s on loopback, and on no
line longer than from the web server alone.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, BrowserContext, sync_playwright  # noqa: E402 - the line above makes it importable

from bench.launch import plain, running  # noqa: E402
from scripts.machine import chromium  # noqa: E402
from tests.browser.pages import EMAIL, PASSWORD  # noqa: E402
from tests.browser.running import release, serve  # noqa: E402
from tests.ports import free_port  # noqa: E402

ROUNDS = 5
TARGET_S = 3.0
LINES = {
    "loopback": None,
    "10 Mbit/s, 40 ms": {"latency": 40, "downloadThroughput": 1_250_000, "uploadThroughput": 1_250_000},
}


class Visit(NamedTuple):
    """Seconds until something was painted, and until the form could be used."""

    painted: float
    usable: float


def visit(context: BrowserContext, url: str, line: dict[str, int] | None) -> Visit:
    page = context.new_page()
    browser = context.new_cdp_session(page)
    browser.send("Network.enable")
    if line:
        browser.send("Network.emulateNetworkConditions", {"offline": False, **line})
    begun = time.monotonic()
    page.goto(f"{url}/auth", wait_until="commit")
    page.locator("input[type=email]").wait_for()
    usable = time.monotonic() - begun
    painted = float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")) / 1000
    page.close()
    return Visit(painted, usable)


def visits(browser: Browser, url: str, line: dict[str, int] | None) -> tuple[Visit, Visit]:
    """The first visit of an empty browser, and its second."""
    context = browser.new_context()
    try:
        return visit(context, url, line), visit(context, url, line)
    finally:
        context.close()


def sign_up(browser: Browser, url: str) -> None:
    """The first account: from then on the page asks for a password instead of greeting its administrator."""
    context = browser.new_context()
    account = {"name": "Ada", "email": EMAIL, "password": PASSWORD}
    assert context.request.post(f"{url}/api/v1/auths/signup", data=account).ok
    context.close()


def median(found: list[Visit]) -> Visit:
    return Visit(*(statistics.median(values) for values in zip(*found, strict=True)))


def told(one: Visit) -> str:
    return f"usable after {one.usable:.2f} s (painted {one.painted:.2f} s)"


def compare(browser: Browser, ours: str, theirs: str) -> None:
    for name, line in LINES.items():
        door, alone = [], []
        for _ in range(ROUNDS):  # turn by turn, so that other programs disturb both alike
            alone.append(visits(browser, theirs, line))
            door.append(visits(browser, ours, line))
        for index, which in enumerate(("first", "second")):
            mine, plain_one = (median([pair[index] for pair in found]) for found in (door, alone))
            ratio = mine.usable / plain_one.usable
            print(
                f"{which} visit, {name}: {told(mine)}; from the web server alone {told(plain_one)}: {ratio:.2f} of it"
            )
            if index == 0 and line is None:
                print(f"  {mine.usable / TARGET_S:.2f} of the {TARGET_S:.0f} s allowed")


def main() -> None:
    launcher = release()
    if launcher is None:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    with tempfile.TemporaryDirectory(prefix="bench-visit-") as name, sync_playwright() as playwright:
        folder, port = Path(name), free_port()
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox", "--disable-gpu"])
        theirs = f"http://127.0.0.1:{port}"
        alone = running(*plain(launcher.parent, sys.executable, folder, port), theirs)
        with serve(launcher, folder / "data", LLM="none") as server, alone:
            for url in (server.url, theirs):
                sign_up(browser, url)
            compare(browser, server.url, theirs)
        browser.close()


if __name__ == "__main__":
    main()
