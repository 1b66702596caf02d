"""A fence around what reads people's words: a network that ends at this machine, and none of its other programs.

What runs inside has a network namespace with only `lo`, so nothing of it reaches any other machine, nor a port of this
one; a mount namespace in which the folders of other programs' sockets are empty, since a Unix socket is found by its
path whatever the network is (a resolver or a log daemon behind one would carry words on); a namespace of processes, so
that it can look into no program of the same account that runs outside; and no kind of socket that is not held by these
(`sockets_allowed`). It has no rights, and gains none by starting set-uid programs. Sockets that the launcher opens
inside are how what belongs there is reached.

A launcher that has no right to namespaces asks a unit of systemd's for the same (`fence_unit`).
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..errors import UnavailableError
from .namespaces import CLONE_NEWNET, apart, checked, libc

if TYPE_CHECKING:
    from ..plan.processes import User

SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
T = TypeVar("T")


@dataclass(frozen=True)
class Fence:
    """An open network namespace: descriptor `network` keeps it, however many processes are in it.

    Whatever `command` starts needs that descriptor under its number.
    `entry`: the words that start the launcher's `__main__.py` as root, with bytecode that only root can write.
    `launcher`: the process that starts what is inside. `keep`: the folders that are to be seen there.
    """

    network: int
    entry: tuple[str, ...]
    launcher: int
    keep: tuple[Path, ...]
    enters: ClassVar[str] = "_fenced"

    def listen(self, host: str, port: int = 0) -> socket.socket:
        """A TCP socket that listens at this address inside. Raises OSError."""
        return self.inside(lambda: socket.create_server((host, port), family=family(host), backlog=128))

    def command(self, command: Sequence[str], user: User | None) -> list[str]:
        """What starts `command` inside, as `user`. A process sees the first one inside as its parent."""
        uid, gid = (user.uid, user.gid) if user else (os.geteuid(), os.getegid())
        kept, words = os.pathsep.join(map(str, self.keep)), list(command)
        if "_module" in words:
            words[words.index("_module") + 1] = "1"
        return [*self.entry, self.enters, str(self.network), f"{uid}:{gid}", kept, str(self.launcher), *words]

    def inside(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread that is inside: a socket stays where it was made."""

        def entered() -> T:
            checked(libc.setns(self.network, CLONE_NEWNET))
            return work()

        return apart(entered)

    def tried(self) -> Fence:
        """This fence, in which a program could be started. Raises UnavailableError, and closes it."""
        done = subprocess.run(  # noqa: S603 -- our own command
            self.command(["/bin/true"], None),
            pass_fds=[self.network],
            cwd="/",
            env={},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            os.close(self.network)
            raise UnavailableError(done.stderr.strip() or f"/bin/true ended with {done.returncode} inside the fence.")
        return self


def build(entry: Sequence[str], keep: Sequence[Path]) -> Fence:
    """A new fence, which was tried. Raises UnavailableError where this kernel or account cannot have one."""
    try:
        network = apart(new_network)
    except OSError as error:
        raise UnavailableError(_why(error)) from None
    return Fence(network, tuple(entry), os.getpid(), tuple(keep)).tried()


def new_network() -> int:
    """An open network namespace, which is left with the thread; the descriptor keeps it. Raises OSError."""
    checked(libc.unshare(CLONE_NEWNET))
    with socket.socket() as any_socket:
        _set_up(any_socket, "lo")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _why(error: OSError) -> str:
    why = "it was not started by root" if os.geteuid() else f"{error.strerror} (is this a container?)"
    return f"This launch cannot have network namespaces of its own: {why}."


def family(host: str) -> socket.AddressFamily:
    """Of the Internet's two, the one that an address is of."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _set_up(any_socket: socket.socket, name: str) -> None:
    """Switch a network interface on (netdevice(7)): a name of 16 bytes, then flags, in a structure of 40."""
    request = ctypes.create_string_buffer(name.encode().ljust(16, b"\0") + IFF_UP.to_bytes(2, "little") + bytes(22))
    checked(libc.ioctl(any_socket.fileno(), SIOCSIFFLAGS, request))
