"""Whatever this process started ends with it: children, and what they left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 20.0  # for tests to stop their servers, and for a release to stop its model


def adopt(yes: bool = True) -> None:
    """Become the parent of whatever a child leaves behind when it ends, so that `end_all` finds it; or no longer be."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


def end_all(told: bool = False, patience_s: float = PATIENCE_S) -> None:
    """Ask every child to end (SIGTERM), wait, then kill what is left, and whatever comes to us from those.

    `told`: the children of now have been told already, as Ctrl-C tells everybody at the terminal; once is enough.
    """
    deadline = time.monotonic() + patience_s
    asked: set[int] = set(_children()) if told else set()
    while found := set(_children()):
        late = time.monotonic() > deadline
        for child in found if late else found - asked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL if late else signal.SIGTERM)
        asked |= found
        for child in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)
        time.sleep(0.02)


def _children() -> Iterator[int]:
    """The processes whose parent we are, those that have ended but not been waited for included."""
    ours = os.getpid()
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with contextlib.suppress(OSError):
                # pid (name) state parent ...; the name may hold anything.
                if int((place / "stat").read_text().rpartition(")")[2].split()[1]) == ours:
                    yield int(place.name)
