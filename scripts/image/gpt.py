"""A GUID partition table (UEFI specification 2.10, section 5.3), written and read; sectors of 512 bytes.

Same partitions, same bytes: the disk's GUID and those of its partitions are the caller's.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

SECTOR = 512
ALIGNMENT = 2048  # sectors: where the first partition begins, 1 MiB
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_ENTRIES, _ENTRY = 128, 128
_TABLE = _ENTRIES * _ENTRY // SECTOR  # sectors
HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")


@dataclass(frozen=True)
class Partition:
    """One partition: its type and own GUID, first and last sector, name (at most 36 letters)."""

    kind: uuid.UUID
    guid: uuid.UUID
    first: int
    last: int
    name: str

    def packed(self) -> bytes:
        """Its 128 bytes in the table."""
        name = self.name.encode("utf-16-le").ljust(72, b"\0")
        return struct.pack("<16s16sQQQ72s", self.kind.bytes_le, self.guid.bytes_le, self.first, self.last, 0, name)


@dataclass(frozen=True)
class Table:
    """A disk's GUID, its size in sectors, and its partitions."""

    disk: uuid.UUID
    sectors: int
    partitions: tuple[Partition, ...]

    def _header(self, here: int, other: int, entries: int) -> bytes:
        packed = self._entries()
        first, last = 2 + _TABLE, self.sectors - 2 - _TABLE

        def with_crc(crc: int) -> bytes:
            fields = (b"EFI PART", 0x10000, HEADER.size, crc, 0, here, other, first, last, self.disk.bytes_le)
            return HEADER.pack(*fields, entries, _ENTRIES, _ENTRY, zlib.crc32(packed))

        return with_crc(zlib.crc32(with_crc(0)))

    def _entries(self) -> bytes:
        return b"".join(item.packed() for item in self.partitions).ljust(_ENTRIES * _ENTRY, b"\0")

    def primary(self) -> bytes:
        """The first 34 sectors: protective MBR, header, entries."""
        size = min(self.sectors - 1, 0xFFFFFFFF)
        record = struct.pack("<B3sB3sII", 0, b"\0\x02\0", 0xEE, b"\xff\xff\xff", 1, size)
        mbr = bytes(446) + record.ljust(64, b"\0") + b"\x55\xaa"
        header = self._header(1, self.sectors - 1, 2)
        return mbr + header.ljust(SECTOR, b"\0") + self._entries()

    def backup(self) -> bytes:
        """The last 33 sectors: entries, header."""
        last = self.sectors - 1
        return self._entries() + self._header(last, 1, last - _TABLE).ljust(SECTOR, b"\0")

    def event(self) -> bytes:
        """What firmware measures of it: UEFI_GPT_DATA (TCG PC Client Platform Firmware Profile, section 10.2.5)."""
        used = [item.packed() for item in self.partitions]
        return self._header(1, self.sectors - 1, 2) + struct.pack("<Q", len(used)) + b"".join(used)


def layout(disk: uuid.UUID, wanted: Sequence[tuple[uuid.UUID, uuid.UUID, str, int]]) -> Table:
    """A table for partitions (type, GUID, name, size in bytes), one after the other, each at a whole MiB."""
    at, partitions = ALIGNMENT, []
    for kind, guid, name, size in wanted:
        length = -(-size // SECTOR)
        partitions.append(Partition(kind, guid, at, at + length - 1, name))
        at += -(-length // ALIGNMENT) * ALIGNMENT
    return Table(disk, at + ALIGNMENT, tuple(partitions))
