"""What gocryptfs says of damaged files while the data is open, told to the operator by the file on the disk.

A damaged block cannot be read, and whoever asks for it gets an error; everything else goes on. The file is named as it
lies on the host's disk, which is what a backup holds; its own name, which somebody wrote, is not told. Of a volume the
kernel counts what its file system could not read of itself; which sector that was, and damage within a file, is said by
the kernel's log alone.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ..summary import notice

#: gocryptfs's words for a block that is not what was written: the number is the inode of the file on the disk.
_CORRUPT = re.compile(rb"^do[A-Z]\w+ (\d+): corrupt ", re.M)
MAX_READ = 64 * 1024
#: Where the kernel says what each file system of that kind has met.
EXT4 = Path("/sys/fs/ext4")


@dataclass
class Damage:
    """Follows `log`, gocryptfs's; `cipher` is the encrypted folder."""

    log: Path
    cipher: Path
    _at: int = 0
    _told: set[int] = field(default_factory=set)

    def tend(self) -> None:
        """To be called now and then: say what is new."""
        try:
            with self.log.open("rb") as file:
                file.seek(self._at)
                text = file.read(MAX_READ)
        except OSError:
            return
        whole = text.rpartition(b"\n")[0]
        self._at += len(whole) + bool(whole)
        for found in _CORRUPT.finditer(whole):
            inode = int(found[1])
            if inode not in self._told:
                self._told.add(inode)
                notice(
                    f"{self._named(inode)} is damaged: what it holds cannot be read, everything else can. Take that "
                    "file from a backup of the encrypted folder; whoever holds the disk can have changed it."
                )

    def _named(self, inode: int) -> str:
        for folder, _, names in os.walk(self.cipher):
            for name in names:
                path = Path(folder) / name
                if path.lstat().st_ino == inode:
                    return str(path)
        return f"A file of the encrypted folder (inode {inode})"


@dataclass
class VolumeDamage:
    """Follows what the kernel says of the file system on `device`, an open volume."""

    device: Path
    _told: int = 0

    def tend(self) -> None:
        """To be called now and then: say what is new."""
        folder = EXT4 / self.device.resolve().name
        try:
            count, block = (int((folder / name).read_text()) for name in ("errors_count", "last_error_block"))
        except (OSError, ValueError):
            return
        if count > self._told:
            self._told = count
            notice(
                f"The volume is damaged: its file system has met {count} errors, the last at block {block}. Take the "
                "volume from a backup; whoever holds the disk can have changed it. The kernel's log names the sector."
            )
