"""The backend's Python environment: a plain folder of packages, installed by uv from a lock with hashes."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from scripts import locks
from scripts.building.stage import Input
from scripts.config import Config
from scripts.run import Runner
from scripts.sources.registry import uv_environment
from scripts.tools.reproducible import reproducible

NAME = "backend"
DEPENDS: tuple[str, ...] = ()
PLATFORM = "x86_64-manylinux_2_28"  # one choice of wheels, whatever this machine's glibc
LAST = ("opencv-python-headless",)  # in the full profile it shares its files with opencv-python: the later one counts


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    yield cfg.profile
    yield locks.render(locks.profile(cfg.profile).values())
    yield PLATFORM
    yield f"uv {importlib.metadata.version('uv')}"


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    packages = locks.profile(cfg.profile)
    first = [entry for name, entry in packages.items() if name not in LAST]
    last = [entry for name, entry in packages.items() if name in LAST]
    for step in (first, last):
        _install(cfg, run, out, step)
    normalise(out)


def _install(cfg: Config, run: Runner, out: Path, packages: list[locks.Locked]) -> None:
    lock = out.with_name(".backend.lock.txt")
    lock.write_text(locks.render(packages), encoding="utf-8")
    command = [sys.executable, "-m", "uv", "pip", "install", "--target", out, "--require-hashes", "--no-deps"]
    how = ["--python", cfg.python, "--python-platform", PLATFORM, "--link-mode", "copy", "--no-compile-bytecode"]
    # Five packages exist as source only; what builds them (setuptools) is the locked one too.
    source_only = ["--build-constraint", locks.FOLDER / "full.txt"]
    environment = {**reproducible(), **uv_environment(cfg), "NO_SQLITE": "1"}  # peewee without its optional extensions
    run([*command, *how, *source_only, "-r", lock], env=environment, what="installing the backend's packages")
    lock.unlink()


def normalise(folder: Path) -> None:
    """Remove what names this machine: command-line scripts (they hold the interpreter's path) and installers' notes."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for info in sorted(folder.glob("*.dist-info")):
        for note in ("REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json"):
            (info / note).unlink(missing_ok=True)
        record = info / "RECORD"
        if record.is_file():
            record.write_text(_kept(folder, record.read_text(encoding="utf-8")), encoding="utf-8", newline="")


def _kept(folder: Path, record: str) -> str:
    """The lines of a RECORD whose files are there, sorted."""
    rows = sorted(row for row in csv.reader(io.StringIO(record)) if row and (folder / row[0]).is_file())
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
