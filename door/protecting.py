"""What keeps other processes out of this one's memory, also those of the same account."""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from pathlib import Path

PR_SET_DUMPABLE = 4  # prctl(2): also who may look at /proc/<pid> and attach with ptrace


class ExposedError(Exception):
    """Somebody looks into this process already; the text is one sentence."""


def harden(status: Path = Path("/proc/self/status")) -> None:
    """No core dump, no ptrace, no `/proc/<pid>/mem` or `fd` for anybody but root. To be called before there is a key.

    Raises ExposedError where another process is attached already: the kernel does not send it away.
    """
    with suppress(OSError):  # where a service manager forbids it: the next line ends core dumps, too
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ExposedError(f"The kernel refused PR_SET_DUMPABLE: {os.strerror(ctypes.get_errno())}.")
    tracer = next((line.split()[1] for line in status.read_text().splitlines() if line.startswith("TracerPid:")), "0")
    if tracer != "0":
        raise ExposedError(
            f"Process {tracer} is attached to this one and could read its keys: end it, and start again."
        )


def open_files() -> int:
    """Raise the limit of open files to what this account may have, and return it."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except OSError:  # a service manager forbids it
        return int(now)
    return int(most)
