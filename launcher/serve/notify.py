"""Tell systemd how the launch goes (sd_notify(3)): lines `NAME=value` in a datagram to the socket in NOTIFY_SOCKET.

Without that variable nobody asked, and nothing is said. Children never get it: their environment is built from nothing.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

EVERY_S = 5.0  # how often a sign of life is given; far below any sensible WatchdogSec=
MORE_S = 120  # how much more time a launch asks for with each sign of life before it is ready


@dataclass
class Notifier:
    """`address` is a path or, with `@` first, an abstract name; "" is nobody."""

    address: str = field(default_factory=lambda: os.environ.get("NOTIFY_SOCKET", ""))
    serving: bool = False
    _last: float = field(default=float("-inf"))

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def ready(self, text: str) -> None:
        """Everything serves; from now on `alive` feeds the watchdog."""
        self.serving = True
        self._send(f"READY=1\nSTATUS={text}\nWATCHDOG=1")

    def due(self) -> bool:
        """Whether the next sign of life is due: the caller looks whether there is life only then."""
        if not self.address or time.monotonic() - self._last < EVERY_S:
            return False
        self._last = time.monotonic()
        return True

    def alive(self) -> None:
        """A sign of life: before `ready` it asks for more time (hashing a large model takes minutes)."""
        self._send("WATCHDOG=1" if self.serving else f"EXTEND_TIMEOUT_USEC={MORE_S * 1_000_000}")

    def stopping(self) -> None:
        """The service ends on request."""
        self._send("STOPPING=1\nSTATUS=Stopping")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        # A service manager that does not listen is no reason to end a service.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto(message.encode(), name)
