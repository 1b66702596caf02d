"""Work that is killed (SIGKILL) at each of its steps in turn, as a power cut or an impatient operator does it."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

#: What changes a file system, by the names of Python's audit events; each is a step, and the kill comes before it.
CHANGES = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "os.chown", "os.utime"}
)


def killed(step: int, work: Callable[[], object], events: frozenset[str] = CHANGES) -> bool:
    """Do `work` in a process of its own, which is killed before its change number `step`; whether it came to that."""
    child = os.fork()
    if child == 0:
        left = step

        def hook(event: str, _: tuple[Any, ...]) -> None:
            nonlocal left
            if event in events:
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), code
    return code != 0
