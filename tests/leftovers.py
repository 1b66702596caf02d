"""What a module of tests must not leave behind in its process, so that modules may run in any order, side by side."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# What pytest says of itself, and what scripts/sources/gitcmd.py tells GitPython before it is first imported.
EXPECTED = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "GIT_PYTHON_REFRESH")


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind, so that `children` sees it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent() -> None:
    """In a child that a test starts (`preexec_fn`): it gets SIGTERM where the run of the tests is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def children() -> list[str]:
    """Processes of this one that are alive: number and command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # after the name, which may hold anything, in parentheses: state, parent (proc_pid_stat(5))
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(parent) == os.getpid() and state not in "ZX":
            found.append(f"{folder.name} {words}".strip())
    return sorted(found)


def threads(within_s: float = 0.0) -> list[str]:
    """Threads that would keep this process from ending; each that is about to end has `within_s` for it."""
    for thread in threading.enumerate() if within_s else ():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(within_s)
    return sorted(thread.name for thread in threading.enumerate() if not thread.daemon)


def condition() -> dict[str, Any]:
    """What belongs to the whole process, by name: the same before and after a module of tests."""
    umask = os.umask(0o022)
    os.umask(umask)
    running = asyncio._get_running_loop()  # of the main thread: `asyncio.run` would refuse while there is one
    return {
        "event loop": running,
        "folder": str(Path.cwd()),
        "umask": umask,
        **{name.name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)},
        **{f"${name}": value for name, value in os.environ.items() if name not in EXPECTED},
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is another now: each name with the value before and the value after."""
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
