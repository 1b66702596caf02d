"""Step inside the fence and run a program there: `_fenced NETWORK UID:GID KEEP LAUNCHER COMMAND...`, started by root.

`NETWORK` is the number of the open network namespace, `KEEP` the folders that are to be seen inside although they lie
in one of those that are emptied (`EMPTIED`), with `:` between them, `LAUNCHER` the process that started this one. Three
processes: this one stays outside and ends as the program does; its child is the first inside, which takes note of
whatever ends there, and with which everything inside ends; and the program.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from . import sockets_allowed
from .namespaces import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, checked, libc

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
CAPABILITY_VERSION_3 = 0x20080522
#: Where programs of a machine put the sockets that every account may connect to, and what they leave to each other.
#: (SSSD's folder is one: it would look names up for whoever asks.)
EMPTIED = ("/run", "/tmp", "/var/tmp", "/dev/shm", "/var/lib/sss/pipes")  # noqa: S108 -- they are made empty


def enter(keep: Sequence[Path]) -> None:
    """In the first process of a namespace of processes: folders and processes of its own. Raises OSError."""
    folder = Path.cwd()
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWIPC))
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _empty([path.resolve() for path in keep])
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)  # /proc/PID/root leads out of every mount
    os.chdir(folder)  # by its path again: from the folder below the mount `..` leads to what is hidden


def _empty(keep: Sequence[Path]) -> None:
    """Mount something empty over each folder of EMPTIED, and in it again what is kept."""
    for folder in EMPTIED:
        place = Path(folder).resolve()
        if not place.is_dir():
            continue
        kept = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in keep if path.is_relative_to(place)]
        _mount("none", str(place), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=50%")
        for path, handle in kept:
            path.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{handle}", str(path), None, MS_BIND | MS_REC)
            os.close(handle)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = (text.encode() if text is not None else None for text in (source, target, kind))
    data = options.encode() if options is not None else None
    first, second, third = texts
    checked(libc.mount(first, second, third, ctypes.c_ulong(flags), data))


def give_up_rights(uid: int, gid: int) -> None:
    """Become the account, with no capability now or later (not as root either), and no socket that leads out."""
    for capability in range(64):  # not allowed everywhere, and not needed: see the two lines at the end
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # With this set, no program that is started has a capability that this process has not, and it has none.
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    checked(libc.capset(struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)))
    sockets_allowed.restrict()


def end_with(parent_is_there: bool) -> None:
    """From now on this process is killed when its parent ends, which has not happened yet."""
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if not parent_is_there:
        os._exit(1)


def first_inside(user: tuple[int, int], keep: Sequence[Path], command: list[str], outside: socket.socket) -> None:
    """Start the program, wait for everything that ends, and tell `outside` how the program did. Does not return."""
    try:
        enter(keep)
        program = os.fork()
        if program == 0:
            give_up_rights(*user)
            os.execv(command[0], command)  # noqa: S606 -- there is no shell, and the command is the launcher's own
        give_up_rights(*user)
        end_with(not select.select([outside], [], [], 0)[0])
        while True:
            pid, status = os.wait()
            if pid == program:
                outside.sendall(status.to_bytes(4, "little"))
                os._exit(0)  # the kernel ends whatever else is inside
    except OSError as error:
        sys.stderr.write(f"This program cannot be started inside the fence: {error.strerror}.\n")
        sys.stderr.flush()
        os._exit(1)


def outcome(inside: int, near: socket.socket) -> int:
    """Wait for the first process inside; the exit code of the program. Ends by a signal where that did."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they go to the whole group: the program decides
    status = near.recv(4)
    _, ended = os.waitpid(inside, 0)
    return end_as(os.waitstatus_to_exitcode(int.from_bytes(status, "little") if status else ended))


def end_as(code: int) -> int:
    """The exit code of a program that stands for another one. Ends by the signal where that one did."""
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    return code


def main(arguments: list[str]) -> int:
    """Run the command inside; its exit code. Ends with a sentence where that fails: nothing runs outside instead."""
    network, user, keep, launcher, *command = arguments
    uid, gid = map(int, user.split(":"))
    near, far = socket.socketpair()
    try:
        end_with(os.getppid() == int(launcher))
        checked(libc.setns(int(network), CLONE_NEWNET))
        os.close(int(network))
        checked(libc.unshare(CLONE_NEWPID))
    except OSError as error:
        sys.exit(f"This program cannot be started inside the fence: {error.strerror}.")
    inside = os.fork()
    if inside == 0:
        near.close()
        first_inside((uid, gid), [Path(path) for path in keep.split(os.pathsep) if path], command, far)
    far.close()
    return outcome(inside, near)
