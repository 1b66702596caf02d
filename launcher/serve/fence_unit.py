"""The fence for a launcher that has no right to namespaces: a unit of systemd's makes it, and starts what runs inside.

The service's unit listens to the network, and its launcher, attester and relay are root; the rights that a fence takes
are therefore another unit's, which has no network (`fence_service`). Behind `SOCKET`, which only root can put there or
ask, systemd starts that unit anew for each launch, and the unit ends, with everything inside, when the launch does.

Messages are JSON with open files beside them, over SOCK_SEQPACKET. First the launcher says which network is its own,
and the unit which release it runs, or why there is no fence. Then each request brings, as its first file, the socket on
which it is answered: `listen` by a socket, `start` by the program's status (wait(2), 4 bytes, little-endian). A byte
that is sent to a program's socket is a signal for it; where that socket is closed, the program is killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, TypeVar

from ..errors import UnavailableError
from .fence import Fence
from .fenced import end_as, end_with

SOCKET = Path("/run/open-webui-tdx-fence")
UNIT = "open-webui-tdx-fence"
HELLO_S = 60.0
MESSAGE = 160 * 1024  # bytes; the kernel's limit of what a socket holds is 208 KiB
T = TypeVar("T")


class UnitFence(Fence):
    """A fence of the unit's: descriptor `network` is the connection to it, with which it ends."""

    enters: ClassVar[str] = "_fenced_by_unit"

    def listen(self, host: str, port: int = 0) -> socket.socket:
        """A TCP socket that listens at this address inside. Raises OSError."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with near, far:
            ask(self.network, {"do": "listen", "host": host, "port": port}, [far.fileno()])
            far.close()
            near.settimeout(HELLO_S)
            data, files, _, _ = socket.recv_fds(near, MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
        if not files:
            number = json.loads(data)["error"] if data else 0
            raise OSError(number, os.strerror(number) if number else f"{UNIT} does not answer")
        return socket.socket(fileno=files[0])

    def inside(self, work: Callable[[], T]) -> T:
        """Nothing of the launcher's own can be inside. Raises UnavailableError."""
        raise UnavailableError(f"The launcher itself cannot step inside the fence of {UNIT}.")


def ask(connection: int, request: dict[str, Any], files: Sequence[int]) -> None:
    """Send one request, with open files. Raises OSError."""
    data = json.dumps(request).encode()
    if len(data) > MESSAGE:
        raise OSError(f"a request to {UNIT} has at most {MESSAGE} bytes, and this one has {len(data)}")
    with socket.socket(fileno=os.dup(connection)) as to_unit:
        socket.send_fds(to_unit, [data], files)


def is_there(path: Path = SOCKET) -> bool:
    """Whether root has put the unit's socket there."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == 0


def join(entry: Sequence[str], keep: Sequence[Path], release: Path, path: Path = SOCKET) -> UnitFence:
    """The fence of a unit that was just started, and tried. Raises UnavailableError where there can be none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(HELLO_S)
    try:
        connection.connect(str(path))
        with open("/proc/self/ns/net") as own:
            socket.send_fds(connection, [b"{}"], [own.fileno()])
        said = json.loads(connection.recv(MESSAGE) or b"{}")
    except (OSError, ValueError) as error:
        connection.close()
        raise UnavailableError(f"{UNIT} does not answer ({error}): journalctl -u '{UNIT}@*' says why.") from None
    problem = said.get("problem", f"{UNIT} ended: journalctl -u '{UNIT}@*' says why")
    if not problem and Path(said["release"]) != release:
        problem = f"{UNIT} runs another release ({said['release']}) than this one ({release})"
    if problem:
        connection.close()
        raise UnavailableError(f"{problem}.")
    connection.settimeout(None)
    joined = UnitFence(connection.detach(), tuple(entry), os.getpid(), tuple(keep))
    joined.tried()
    return joined


def main(arguments: list[str]) -> int:
    """`_fenced_by_unit CONNECTION UID:GID KEEP LAUNCHER COMMAND...`: have it run inside, and end as it does.

    This process stands for the program in the launcher's eyes: it passes signals on, and the program is killed with it.
    """
    connection, user, keep, launcher, *command = arguments
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        end_with(os.getppid() == int(launcher))
        request = {
            "do": "start",
            "user": [int(number) for number in user.split(":")],
            "keep": [path for path in keep.split(os.pathsep) if path],
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
            "command": command,
        }
        with open("/proc/self/ns/mnt") as folders:
            ask(int(connection), request, [far.fileno(), 0, 1, 2, folders.fileno()])
        os.close(int(connection))
    except OSError as error:
        sys.exit(f"This program cannot be started inside the fence: {error.strerror or error}.")
    far.close()
    _let_go_of_input()

    def pass_on(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):  # it has ended already
            near.send(bytes([number]))

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    status = near.recv(4)
    if not status:
        sys.exit(f"This program cannot be started inside the fence, or was killed with it: {UNIT} ended it.")
    return end_as(os.waitstatus_to_exitcode(int.from_bytes(status, "little")))


def _let_go_of_input() -> None:
    """What is told to the program is for it alone: whoever tells it hears when it is gone."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
