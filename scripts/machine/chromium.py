"""The browser of the browser tests: the system's, else Playwright's own, else Debian's package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from scripts.config import Config
from scripts.errors import CommandError, MissingError
from scripts.run import Runner

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The program of `CHROMIUM`, or a usual name on the path, or what Playwright installed before."""
    named = environment.get("CHROMIUM")
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    folder = Path(environment.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    installed = sorted(folder.glob("chromium-*/chrome-linux*/chrome"))
    return installed[-1] if installed else None


def obtain(cfg: Config, run: Runner, tests_python: Path) -> Path:
    """Find a browser or install one; MissingError if neither works."""
    found = find()
    if found is None and not cfg.offline:
        run.say("no Chromium found; trying to install one")
        _install(run, tests_python)
        found = find()
    if found is None:
        raise MissingError(
            "There is no Chromium for the browser tests; install one (Debian: chromium), or name it with CHROMIUM=."
        )
    return found


def _install(run: Runner, tests_python: Path) -> None:
    ways: list[list[str | Path]] = [[tests_python, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        ways.append(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
    for way in ways:
        try:
            run(way, what="installing Chromium", env={"DEBIAN_FRONTEND": "noninteractive"})
            return
        except CommandError as error:
            run.say(str(error).split(";", 1)[0])
