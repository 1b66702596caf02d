"""What is mounted where, as the kernel says it, and how it is let go of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from ..errors import DataError
from ..plan.environment import FIXED

TABLE = Path("/proc/self/mountinfo")
KIND = "fuse.gocryptfs"
TIMEOUT_S = 20


def kinds(path: Path) -> list[str]:
    """The kinds of file system that are mounted exactly at `path`, the lowest first (proc(5), mountinfo)."""
    wanted, found = str(path.parent.resolve() / path.name), []  # a dead mount itself cannot be looked into
    for line in TABLE.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        if _plain(before.split(" ")[4]) == wanted:
            found.append(after.split(" ")[0])
    return found


def is_ours(path: Path) -> bool:
    """Whether the encrypted folder, and nothing else, is mounted at `path`."""
    return kinds(path) == [KIND]


def clear(path: Path) -> None:
    """Take away what is mounted at `path`, such as what a launcher that was killed left there. Raises DataError."""
    for _ in range(len(kinds(path))):
        unmounter = shutil.which("fusermount3", path=FIXED["PATH"]) or "fusermount"
        command = ["umount", "-l", "--", str(path)] if os.geteuid() == 0 else [unmounter, "-uz", "--", str(path)]
        subprocess.run(command, env=FIXED, capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    if kinds(path):
        raise DataError(f"{path} is mounted, and this account cannot unmount it: do that as root (umount -l {path}).")


def _plain(field: str) -> str:
    """A path of the table, whose blanks and the like are written in octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
