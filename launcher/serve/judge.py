"""Is the program that has accepted a connection the one that was measured?

The process must be the very one, held by a pidfd and with the same executable. Another process is measured anew before
it gets a word; until then, and where it is another program, the answer is a sentence.
"""

from __future__ import annotations

import os
import select
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from ..errors import LauncherError
from ..measure import ollama_program, sockets
from ..measure.ollama_program import Answering, Program

ACCEPT_S = 5.0
MEASURING = "Ollama was started anew and is being measured: try again in a moment."
OTHER = (
    "The program that answers as Ollama is not the one that was measured, so nothing is sent to it: "
    "its operator can have it measured by starting the service again."
)
UNSEEN = "Which program answers as Ollama cannot be seen, so nothing is sent to it."


@dataclass(frozen=True)
class Held:
    """A process that was measured: its pidfd says when it ends, whatever gets its number then."""

    answering: Answering
    handle: int

    def is_still(self) -> bool:
        """Whether it runs, and runs the same executable."""
        if select.select([self.handle], [], [], 0)[0]:
            return False
        with suppress(OSError):
            return ollama_program.look(self.answering.pid) == self.answering
        return False


class Judge:
    """Knows what was measured, and which process is that now."""

    def __init__(self, expected: Program, first: Answering) -> None:
        self._expected, self._lock = expected, threading.Lock()
        self._held = self._hold(first)
        self._others: set[Answering] = set()
        self._measuring: set[Answering] = set()

    def _hold(self, answering: Answering) -> Held | None:
        with suppress(OSError):
            held = Held(answering, os.pidfd_open(answering.pid))
            if held.is_still():
                return held
            os.close(held.handle)
        return None

    def judge(self, near: sockets.Address, far: sockets.Address) -> Held | str:
        """Who has accepted the connection from `near` to `far`, or why nothing may be sent over it."""
        inode, deadline = "", time.monotonic() + ACCEPT_S
        while not inode and time.monotonic() < deadline:
            inode = sockets.accepted(near, far)
            time.sleep(0 if inode else 0.002)
        with self._lock:
            held = self._held
        if held and held.is_still() and inode in sockets.held(held.answering.pid):
            return held
        return self._other(inode)

    def _other(self, inode: str) -> str:
        pids = sockets.holders({inode}) if inode else []
        try:
            (pid,) = pids
            answering = ollama_program.look(pid)
        except (ValueError, OSError):
            return UNSEEN
        with self._lock:
            if answering in self._others:
                return OTHER
            if answering not in self._measuring:
                self._measuring.add(answering)
                threading.Thread(target=self._measure, args=(answering,), daemon=True).start()
        return MEASURING

    def _measure(self, answering: Answering) -> None:
        held = self._hold(answering)
        good = False
        with suppress(LauncherError, OSError):
            good = ollama_program.measure(answering.executable) == self._expected
        with self._lock:
            self._measuring.discard(answering)
            if good and held and held.is_still():
                self._held = held  # the old handle stays open: another thread may be asking it
            elif not good:
                self._others.add(answering)
