"""A run of the tests that is killed leaves no servers behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests import leftovers

STARTS_ONE = """
import subprocess, sys
from tests import leftovers
sleeping = subprocess.Popen(["sleep", "600"], preexec_fn=leftovers.end_with_parent)
print(sleeping.pid, flush=True)
sleeping.wait()
"""


def test_what_a_test_started_ends_with_the_run() -> None:
    command = [sys.executable, "-c", STARTS_ONE]
    run = subprocess.Popen(command, cwd=Path(leftovers.__file__).parents[1], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    status = Path(f"/proc/{int(run.stdout.readline())}/stat")
    run.kill()
    run.wait()
    deadline = time.monotonic() + 10
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX":
        assert time.monotonic() < deadline
        time.sleep(0.02)
