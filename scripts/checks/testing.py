"""`make test` and `make bench`: every part runs, and the end says which failed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from scripts.building.fingerprint import file_sha256
from scripts.config import Config
from scripts.errors import CommandError, MissingError, ToolError
from scripts.machine import chromium
from scripts.run import Runner
from scripts.tools.node import node

Part = Callable[[], None]


def run_all(cfg: Config) -> bool:
    """Python's tests (units, release, browser), then the web verifier's. True if all passed."""
    run = _runner(cfg, "test")
    python = tests_python(cfg)

    def pytest() -> None:
        browser = chromium.obtain(cfg, run, python)
        command: list[str | Path] = [python, "-m", "pytest", "tests", "-m", "not reproducible", *_side_by_side(cfg)]
        _call(command, cfg.root, {"CHROMIUM": str(browser), "DIST_DIR": str(cfg.dist)})

    return _report({"Python": pytest, "web verifier": lambda: _web_verifier(cfg, run)})


def _side_by_side(cfg: Config) -> list[str]:
    """Options of pytest: whole files side by side, one more than processors, as the browser's tests mostly wait.

    More than four would each need a server's gigabyte. Files go in their order: the browser's, the longest, are early.
    """
    return ["-n", str(min(cfg.jobs + 1, 4)), "--dist", "loadfile", "--no-loadscope-reorder"]


def run_benchmarks(cfg: Config) -> bool:
    """Each `bench/*.py` by itself. True if all went through."""
    python = tests_python(cfg)
    scripts = sorted((cfg.root / "bench").glob("*.py"))

    def part(script: Path) -> Part:
        return lambda: _call([python, script], cfg.root, {"PYTHONPATH": str(cfg.root)})

    return _report({f"bench/{script.name}": part(script) for script in scripts if not script.name.startswith("_")})


def tests_python(cfg: Config) -> Path:
    """The interpreter of the tests' environment, made if need be."""
    print_path = "import sys; print(sys.executable)"
    command: list[str | Path] = [cfg.python, cfg.root / "scripts" / "bootstrap.py", "--tests", "--", "-c", print_path]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise MissingError("The environment of the tests could not be made; the sentence above says why.")
    return Path(answer.stdout.strip().splitlines()[-1])


def _web_verifier(cfg: Config, run: Runner) -> None:
    folder = cfg.root / "web"
    tool = node(cfg, run)
    environment = tool.environment(cfg)
    npm = [tool.folder / "node", tool.npm]
    locked, marker = file_sha256(folder / "package-lock.json"), folder / "node_modules" / ".locked"
    if not marker.is_file() or marker.read_text() != locked:
        run([*npm, "ci", "--ignore-scripts"], cwd=folder, env=environment)
        marker.write_text(locked)
    _call([*npm, "test"], folder, environment)


def _call(command: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
    """Run with this process's terminal: the output is what the person wants to see."""
    status = subprocess.call(command, cwd=folder, env={**os.environ, **environment})
    if status:
        raise CommandError(f"exit status {status}")


def _report(parts: dict[str, Part]) -> bool:
    results: dict[str, str] = {}
    for name, part in parts.items():
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        try:
            part()
            results[name] = "passed"
        except ToolError as error:
            results[name] = f"FAILED: {error}"
        results[name] += f" ({time.monotonic() - began:.0f} s)"
    print("\n" + "\n".join(f"{name}: {result}" for name, result in results.items()))
    return all(result.startswith("passed") for result in results.values())


def _runner(cfg: Config, name: str) -> Runner:
    run = Runner(name, cfg.logs / f"{name}.log")
    run.start_log()
    return run
