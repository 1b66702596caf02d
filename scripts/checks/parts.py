"""Parts of a check: every part runs, and the end says which failed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.config import Config
from scripts.errors import CommandError, MissingError, ToolError

Part = Callable[[], None]


class NotRunError(Exception):
    """A part that cannot run here; the message says what it needs. It counts neither as passed nor as failed."""


def report(parts: Mapping[str, Part]) -> bool:
    """Run them in order, print what became of each, and say whether none failed."""
    results: dict[str, str] = {}
    for name, part in parts.items():
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        try:
            part()
            results[name] = "passed"
        except NotRunError as reason:
            results[name] = f"NOT RUN: {reason}"
        except ToolError as error:
            results[name] = f"FAILED: {error}"
        results[name] += f" ({time.monotonic() - began:.0f} s)"
    print("\n" + "\n".join(f"{name}: {result}" for name, result in results.items()))
    return not any(result.startswith("FAILED") for result in results.values())


def call(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run with this process's terminal: the output is what the person wants to see. CommandError if it fails."""
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(environment or {})})
    status = process.wait()  # on a signal the exception leaves it running: it ends by itself, or `children` sees to it
    if status:
        raise CommandError(f"exit status {status}")


def tests_python(cfg: Config) -> Path:
    """The interpreter of the tests' environment, made if need be."""
    print_path = "import sys; print(sys.executable)"
    command: list[str | Path] = [cfg.python, cfg.root / "scripts" / "bootstrap.py", "--tests", "--", "-c", print_path]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise MissingError("The environment of the tests could not be made; the sentence above says why.")
    return Path(answer.stdout.strip().splitlines()[-1])
