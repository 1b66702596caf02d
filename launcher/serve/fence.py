"""A fence around what reads people's words: a network that ends at this machine, and none of its other programs.

What runs inside has a network namespace with only `lo`, so nothing of it reaches any other machine, nor a port of this
one; and a mount namespace in which the folders of other programs' sockets are empty, since a Unix socket is found by
its path whatever the network is (a resolver or a log daemon behind one would carry words on). It gains no rights by
starting set-uid programs. Sockets that the launcher opens inside are how what belongs there is reached.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import UnavailableError
from ..plan.processes import User
from .namespaces import CLONE_NEWNET, checked, libc

SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
T = TypeVar("T")


@dataclass(frozen=True)
class Fence:
    """An open network namespace: descriptor `network` keeps it, however many processes are in it."""

    network: int

    def listen(self, host: str, port: int = 0) -> socket.socket:
        """A TCP socket that listens at this address inside. Raises OSError."""

        def make() -> socket.socket:
            made = socket.socket()
            made.bind((host, port))
            made.listen(128)
            return made

        return self._inside(make)

    def command(self, command: Sequence[str], entry: Path, user: User | None, keep: Sequence[Path]) -> list[str]:
        """What starts `command` inside, as `user`, with the folders `keep` to be seen there. `entry`: the launcher's
        `__main__.py`. Its first three words have to be Python and its options."""
        python, *options = command[: command.index(str(entry))]
        uid, gid = (user.uid, user.gid) if user else (os.geteuid(), os.getegid())
        kept = os.pathsep.join(map(str, keep))
        return [python, *options, str(entry), "_fenced", str(self.network), f"{uid}:{gid}", kept, *command]

    def _inside(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread that is inside: a socket stays where it was made."""
        done: list[T | OSError] = []

        def run() -> None:
            try:
                checked(libc.setns(self.network, CLONE_NEWNET))
                done.append(work())
            except OSError as error:
                done.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if isinstance(done[0], OSError):
            raise done[0]
        return done[0]


def build() -> Fence:
    """A new fence. Raises UnavailableError where this kernel or account cannot have one."""
    made: list[int | OSError] = []

    def run() -> None:  # a thread's namespace is its own; the descriptor keeps it when the thread is gone
        try:
            checked(libc.unshare(CLONE_NEWNET))
            with socket.socket() as any_socket:
                _set_up(any_socket, "lo")
            made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        why = "it was not started by root" if made[0].errno == errno.EPERM else made[0].strerror
        raise UnavailableError(f"This launch cannot have network namespaces of its own: {why}.")
    return Fence(made[0])


def _set_up(any_socket: socket.socket, name: str) -> None:
    """Switch a network interface on (netdevice(7)): a name of 16 bytes, then flags, in a structure of 40."""
    request = ctypes.create_string_buffer(name.encode().ljust(16, b"\0") + IFF_UP.to_bytes(2, "little") + bytes(22))
    checked(libc.ioctl(any_socket.fileno(), SIOCSIFFLAGS, request))
