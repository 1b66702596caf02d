"""Where words of an encrypted service could still reach a disk of the host: swap, dumps of memory, temporary files.

Looked at when a service with encrypted data is launched on real TDX; what is found is a sentence for the operator.
Dumps are not only looked at: no process of a launch may leave one (`no_dumps`).
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 -- they are looked at
#: A limit of one byte: too small for a file, and with it the kernel starts no program that takes dumps either.
NO_DUMP = 1


def no_dumps() -> None:
    """From now on neither this process nor what it starts leaves a dump of its memory (core(5))."""
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    limit = NO_DUMP if most == resource.RLIM_INFINITY else min(NO_DUMP, most)  # what is 0 already cannot be raised
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


def found(fenced: bool, root: Path = Path("/")) -> Iterator[str]:
    """A sentence for each way that is open; `fenced`: what reads people's words has temporary folders in memory."""
    for device in _swaps(root):
        yield (
            f"Memory may be written to the swap at {device}, which the host can read: turn it off (swapoff {device}), "
            "or encrypt it with a key that is drawn at each boot."
        )
    if not fenced:
        for folder in TEMPORARY:
            if _kind(root, folder) not in IN_MEMORY:
                yield (
                    f"{folder} lies on a disk that the host can read, and nothing keeps the web server's libraries "
                    "from writing there: mount a tmpfs at it, or have the launch fenced in (docs/deployment.md)."
                )


def _swaps(root: Path) -> Iterator[str]:
    """Devices and files of the swap that are neither in memory nor encrypted."""
    table = root / "proc/swaps"
    lines = table.read_text(encoding="utf-8").splitlines()[1:] if table.is_file() else []
    for line in lines:
        name = line.split()[0]
        own = root / "sys/block" / Path(name).name
        backing = own / "backing_dev"
        if Path(name).name.startswith("zram") and (not backing.is_file() or backing.read_text().strip() == "none"):
            continue
        mapped = own / "dm/uuid"
        if mapped.is_file() and mapped.read_text().startswith("CRYPT-"):
            continue
        yield name


def _kind(root: Path, folder: str) -> str:
    """The kind of the file system that `folder` lies on (proc(5), mountinfo)."""
    kinds = {}
    for line in (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        kinds[before.split(" ")[4]] = after.split(" ")[0]
    path = Path(folder)
    return next((kinds[str(each)] for each in (path, *path.parents) if str(each) in kinds), "")
