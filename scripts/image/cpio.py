"""A cpio archive of the kind that Linux unpacks as its initrd: "newc" (Documentation/driver-api/early-userspace).

Same entries, same bytes: times are 0, owners root, inodes counted, entries in the order given.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_ALIGN = 4


@dataclass(frozen=True)
class Entry:
    """One file of the archive. `mode` has the file's type; `device` is (major, minor) of a device node."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def folder(name: str) -> Entry:
    """A folder that everybody may enter."""
    return Entry(name, stat.S_IFDIR | 0o755)


def file(name: str, content: bytes, mode: int = 0o444) -> Entry:
    """A regular file."""
    return Entry(name, stat.S_IFREG | mode, content)


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive, its end marker included."""
    out = bytearray()
    for number, entry in enumerate([*entries, Entry("TRAILER!!!", 0)]):
        inode = number + 1 if entry.mode else 0
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        name = entry.name.encode() + b"\0"
        fields = (inode, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, *entry.device, len(name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += bytes(-len(out) % _ALIGN) + entry.content
        out += bytes(-len(out) % _ALIGN)
    return bytes(out)
