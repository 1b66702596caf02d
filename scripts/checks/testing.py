"""`make test` and `make bench`: every part runs, and the end says which failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.checks import web
from scripts.checks.parts import Part, call, report, tests_python
from scripts.config import Config
from scripts.errors import UsageError
from scripts.machine import chromium
from scripts.run import Runner

LONG = ("build", "image")
"""Benchmarks that take ten minutes and more: they run where they are named."""
IN_BROWSER = {"channel", "shield"}


def run_all(cfg: Config) -> bool:
    """Python's tests (units, release, browser), then the web verifier's. True if all passed."""
    run = _runner(cfg, "test")
    python = tests_python(cfg)

    def pytest() -> None:
        browser = chromium.obtain(cfg, run, python)
        chosen = ["-m", "not reproducible and not deploy and not image"]
        command: list[str | Path] = [python, "-m", "pytest", "tests", *chosen, *_side_by_side(cfg)]
        call(command, cfg.root, {"CHROMIUM": str(browser), "DIST_DIR": str(cfg.dist)})

    return report({"Python": pytest, "web verifier": lambda: web.npm(cfg, run, "test")})


def _side_by_side(cfg: Config) -> list[str]:
    """Options of pytest: whole files side by side, one more than processors, as the browser's tests mostly wait.

    More than four would each need a server's gigabyte. Files go in the order in which they were collected: the longest,
    those that drive a release, are first (tests/conftest.py). The end says which tests took longest.
    """
    order = ["--dist", "loadfile", "--no-loadscope-reorder"]
    return ["-n", str(min(cfg.jobs + 1, 4)), *order, "--durations=40"]


def run_benchmarks(cfg: Config, names: Sequence[str] = ()) -> bool:
    """The benchmarks of `bench/` named, or all but `LONG`, each by itself. True if all went through."""
    python = tests_python(cfg)
    known = {path.stem: path for path in sorted((cfg.root / "bench").glob("*.py")) if not path.name.startswith("_")}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"There is no benchmark {unknown[0]}; there are: {', '.join(known)}.")

    chosen = names or [name for name in known if name not in LONG]
    needed = {"PYTHONPATH": str(cfg.root), "DIST_DIR": str(cfg.dist)}
    if IN_BROWSER & set(chosen):  # before the minutes that the others take
        needed["CHROMIUM"] = str(chromium.obtain(cfg, _runner(cfg, "bench"), python))

    def part(script: Path) -> Part:
        return lambda: call([python, script], cfg.root, needed)

    return report({f"bench/{name}.py": part(known[name]) for name in chosen})


def _runner(cfg: Config, name: str) -> Runner:
    run = Runner(name, cfg.logs / f"{name}.log")
    run.start_log()
    return run
