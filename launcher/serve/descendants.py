"""Find and end everything that was started, also what left its parent, its session and its name behind.

The launcher is a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): whatever loses its parent becomes its child, so that all
that any of its processes ever started is below it in the tree of processes. Each is held by a pidfd before it is
signalled: a number alone may belong to another process by then.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 10.0


def adopt() -> bool:
    """Make this process the parent of whatever loses its own below it. False where the kernel does not do that."""
    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def find(root: int) -> set[int]:
    """Every process below `root`, zombies excluded."""
    parents, alive = {}, set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, ValueError):
                # The name, in parentheses, may hold anything; state and parent follow its last parenthesis.
                state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                parents[int(folder.name)] = int(parent)
                if state not in "ZX":
                    alive.add(int(folder.name))
    found: set[int] = set()
    pending = {root}
    while pending:
        pending = {pid for pid, parent in parents.items() if parent in pending} - found
        found |= pending
    return found & alive


def end_all() -> set[int]:
    """Kill everything below this process and take its end note. What is left after a while, which the kernel holds."""
    deadline = time.monotonic() + PATIENCE_S
    while (left := find(os.getpid())) and time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):  # first nothing may start anything any more
            for pid in left:
                _signal(pid, number)
        _reap()
        time.sleep(0.01)
    _reap()
    return left


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return  # it has ended
    try:
        if pid in find(os.getpid()):  # held, and still below us: the number was not given away in between
            with suppress(OSError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


class Orphans:
    """Takes the end note of adopted processes while others are waited for elsewhere: only of one that is seen twice."""

    def __init__(self) -> None:
        self._seen: int | None = None

    def reap(self, own: set[int]) -> None:
        """Call this now and then; `own` are waited for by whoever started them."""
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        pid = found.si_pid if found else None
        if pid is not None and pid == self._seen and pid not in own:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._seen = pid
