"""Tell systemd how the launch goes (sd_notify(3)): lines `NAME=value` in a datagram to the socket in NOTIFY_SOCKET.

Without that variable nobody asked, and nothing is said. Children never get it: their environment is built from nothing.
systemd hears its main process only, so that no other account can say that all is well. That is the first of the
launcher's two processes (`keeper`), which passes on what the second, the one that knows, says through a `Channel`.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

EVERY_S = 5.0  # how often a sign of life is given; far below any sensible WatchdogSec=
MORE_S = 120  # how much more time a launch asks for with each sign of life before it is ready


@dataclass
class Notifier:
    """`address` is a path or, with `@` first, an abstract name; "" is nobody."""

    address: str = field(default_factory=lambda: os.environ.get("NOTIFY_SOCKET", ""))
    serving: bool = False
    line: str = ""
    _last: float = field(default=float("-inf"))
    channel: ClassVar[socket.socket | None] = None  # in the second process: to the first

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows."""
        self.say(f"STATUS={text}")

    def ready(self, text: str) -> None:
        """Everything serves; from now on `alive` feeds the watchdog."""
        self.serving, self.line = True, text
        self.say(f"READY=1\nSTATUS={text}\nWATCHDOG=1")

    def trouble(self, text: str) -> None:
        """What somebody has to look at takes the place of the line; "" gives it back."""
        self.status(text or self.line)

    def due(self) -> bool:
        """Whether the next sign of life is due: the caller looks whether there is life only then."""
        if not self.address or time.monotonic() - self._last < EVERY_S:
            return False
        self._last = time.monotonic()
        return True

    def alive(self) -> None:
        """A sign of life: before `ready` it asks for more time (hashing a large model takes minutes)."""
        self.say("WATCHDOG=1" if self.serving else f"EXTEND_TIMEOUT_USEC={MORE_S * 1_000_000}")

    def stopping(self) -> None:
        """The service ends on request."""
        self.say("STOPPING=1\nSTATUS=Stopping")

    def say(self, message: str) -> None:
        """Lines of sd_notify, as they are."""
        if not self.address:
            return
        if self.channel is not None:
            with suppress(OSError):
                self.channel.send(message.encode())
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        # A service manager that does not listen is no reason to end a service.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto(message.encode(), name)


class Channel:
    """Made before the fork; afterwards the one process `speaks`, the other `listens`."""

    def __init__(self) -> None:
        self._first, self._second = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def speak(self) -> None:
        """In the second process: what is said goes to the first."""
        self._first.close()
        Notifier.channel = self._second

    def listen(self) -> None:
        """In the first process: pass on what the second says, in a thread that ends with it."""
        self._second.close()
        self._thread = threading.Thread(target=self._pass_on, args=(Notifier(),), daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """In the first process: the second has ended; its last words still go out."""
        self._thread.join(1)

    def _pass_on(self, teller: Notifier) -> None:
        while message := self._first.recv(4096):
            teller.say(message.decode())
