"""Makes full.txt and own.txt anew: `python -m scripts.locks` (needs the patched source: run `make build` once)."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.building.files import write_durably
from scripts.cli import config
from scripts.config import Config
from scripts.locks import FOLDER
from scripts.run import Runner
from scripts.sources.registry import uv_environment

FULL = """# Every Python package of upstream's backend, as its own requirement list resolves at the date of the release
# (`exclude_newer` of upstream.toml), for Linux on x86-64; the same for Python 3.11 and 3.12.
# Made by: python -m scripts.locks. Not edited by hand.
"""
OWN = """# What we add to upstream's packages; compatible with full.txt.
# Made by: python -m scripts.locks. Not edited by hand.
"""


def main() -> None:
    """Lock upstream's packages and our own anew."""
    cfg = config()
    run = Runner("locks", cfg.logs / "locks.log")
    run.start_log()
    newest = ("--exclude-newer", cfg.pins.release.exclude_newer)
    made = [
        _compile(cfg, run, cfg.stage("fetch"), "backend/requirements.txt", python, newest)
        for python in ("3.11", "3.12")
    ]
    if _pins(made[0]) != _pins(made[1]):
        sys.exit("Python 3.11 and 3.12 now need different locks; one file can no longer hold both.")
    write_durably(FOLDER / "full.txt", (FULL + made[0]).encode())
    own = _compile(cfg, run, cfg.root, "scripts/locks/own.in", "3.11", ("-c", "scripts/locks/full.txt"))
    write_durably(FOLDER / "own.txt", (OWN + own).encode())


def _compile(cfg: Config, run: Runner, folder: Path, requirements: str, python: str, more: tuple[str, ...]) -> str:
    out = cfg.build / ".locks.txt"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--generate-hashes"]
    target = ["--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
    run([*command, *target, *more, requirements, "-o", out], cwd=folder, env=uv_environment(cfg, locking=True))
    text = out.read_text(encoding="utf-8")
    out.unlink()
    return text


def _pins(lock: str) -> list[str]:
    """The pins and hashes alone: who asks for a package may differ between Pythons without harm."""
    return [line for line in lock.splitlines() if not line.lstrip().startswith("#")]


if __name__ == "__main__":
    main()
