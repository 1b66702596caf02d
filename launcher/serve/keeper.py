"""Two processes for the launcher, so that one of them is left to end everything whichever is killed (SIGKILL).

The first, whose number people and systemd know, only waits for the second, which launches. Both are subreapers
(`descendants`): where the second dies, all that it had started becomes the first's and is ended; where the first dies,
the kernel sends the second SIGTERM, and it stops in order. Only who kills both at once leaves something behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

from ..errors import ChildError
from ..summary import notice
from . import descendants, notify

PR_SET_PDEATHSIG = 1


def keep(work: Callable[[], int]) -> int:
    """Do `work` in a second process and return its exit code once nothing of it is left.

    Returns in both processes, in the second with what `work` itself returns or raises. Call it while there is one
    thread. Raises ChildError where the second was killed.
    """
    if not descendants.adopt():
        return work()
    first = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    channel = notify.Channel()
    second = os.fork()
    if second == 0:
        channel.speak()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != first:  # it died before we asked
            raise ChildError("The process that the launcher was started as is gone.")
        return work()
    channel.listen()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: os.kill(second, got))
    code = _wait(second)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it is ending already, and that number may be another process's by now
    channel.finish()
    if left := descendants.end_all():
        notice(f"The kernel does not let go of these processes: {', '.join(map(str, sorted(left)))}.")
    if code < 0:
        raise ChildError(f"The launcher was killed ({signal.Signals(-code).name}); what it had started was ended.")
    return code


def _wait(second: int) -> int:
    """The exit code of the second process; what else ends meanwhile is taken note of. Negative: the signal."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == second:
            return os.waitstatus_to_exitcode(status)
