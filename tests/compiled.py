"""What tests and benchmarks compile: once, kept in `build/tests` while its sources are unchanged."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "tests"


@cache
def compiler() -> tuple[str, ...]:
    """$CC, the machine's, or else the pinned one that the build uses: no compiler has to be installed."""
    if named := os.environ.get("CC"):
        return tuple(shlex.split(named))
    if shutil.which("cc"):
        return ("cc",)
    from scripts.config import from_environment
    from scripts.run import Runner
    from scripts.tools.zig import zig

    cfg = from_environment(ROOT)
    return tuple(shlex.split(zig(cfg, Runner("tests", cfg.logs / "tests.log"))))


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> None:
    """Raises RuntimeError with the output where the command fails."""
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def digest_of(*patterns: str) -> str:
    """A short name for the contents of the files that match, for this Python and this compiler."""
    hasher = hashlib.sha256(f"{sys.version} {compiler()}".encode())
    for path in sorted(p for pattern in patterns for p in ROOT.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so":
            hasher.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return hasher.hexdigest()[:16]


def built_once(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `build/tests/<name>`, made by `build(folder)` unless it is there; safe from parallel test runs."""
    folder = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            fresh = CACHE / f"{name}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            build(fresh)
            fresh.rename(folder)
    return folder


def extension() -> Path:
    """The compiled extension of quote_generator, a file."""

    def build(out: Path) -> None:  # a copy, so that nothing is written into the sources
        for name in ("setup.py", "pyproject.toml", "LICENSE", "MANIFEST.in", "docs/plugin.md"):
            (out / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, out / name)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "quote_generator", out / "quote_generator", ignore=ignored)
        run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", cwd=out, CC=shlex.join(compiler()))

    sources = ("quote_generator/*.pyx", "quote_generator/*.h", "setup.py")
    folder = built_once("extension-" + digest_of(*sources), build) / "quote_generator"
    return next(folder.glob("_binding.*.so"))


def simulator() -> Path:
    """The simulated library, a file."""

    def build(out: Path) -> None:
        run(sys.executable, "-m", "simulator", "build", "--out", out, "--cc", shlex.join(compiler()))

    return built_once("simulator-" + digest_of("simulator/**/*"), build) / "libtdx_attest.so.1"
