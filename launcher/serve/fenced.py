"""Step inside the fence and become another program: `_fenced NETWORK UID:GID KEEP COMMAND...`, started by root.

`NETWORK` is the number of the open network namespace, `KEEP` the folders that are to be seen inside although they lie
in one of those that are emptied (`EMPTIED`), with `:` between them.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .namespaces import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, checked, libc

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
#: Where programs of a machine put the sockets that every account may connect to, and what they leave to each other.
EMPTIED = ("/run", "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 -- they are made empty


def enter(network: int, user: tuple[int, int], keep: Sequence[Path]) -> None:
    """Step inside for good. Raises OSError: then nothing may be started."""
    checked(libc.setns(network, CLONE_NEWNET))
    os.close(network)
    checked(libc.unshare(CLONE_NEWNS | CLONE_NEWIPC))
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _empty([path.resolve() for path in keep])
    for capability in range(64):  # an account of root's keeps its files, but has no way out of the namespaces either
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    uid, gid = user
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


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


def main(arguments: list[str]) -> None:
    """Step inside, then become the command. Ends with a sentence where that fails: nothing runs outside instead."""
    network, user, keep, *command = arguments
    uid, gid = map(int, user.split(":"))
    try:
        enter(int(network), (uid, gid), [Path(path) for path in keep.split(os.pathsep) if path])
    except OSError as error:
        sys.exit(f"This program cannot be started inside the fence: {error.strerror}.")
    os.execv(command[0], command)  # noqa: S606 -- there is no shell, and the command is the launcher's own
