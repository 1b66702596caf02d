"""What a run of the playbook said."""

from __future__ import annotations

import re
import subprocess

RECAP = re.compile(r"^\S+\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)", re.M)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence."""
    found = re.findall(r"^fatal: \[[^]]+\]: (.*)$", done.stdout, re.M)
    assert done.returncode != 0 and len(found) == 1, done.stdout[-3000:] + done.stderr[-1000:]
    return str(found[0])


def counts(done: subprocess.CompletedProcess[str]) -> tuple[int, int]:
    """Changed and failed tasks."""
    recap = RECAP.search(done.stdout)
    assert recap, done.stdout[-6000:] + done.stderr[-1000:]
    return int(recap[1]), int(recap[2])
