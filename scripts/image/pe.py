"""Portable executables (PE/COFF), as far as measured boot looks at them: the digest that firmware takes, sections.

Microsoft, "PE Format" and "Windows Authenticode Portable Executable Signature Format", "Calculating the PE Image Hash";
the TCG PC Client Platform Firmware Profile has EV_EFI_BOOT_SERVICES_APPLICATION measure the same.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import NamedTuple

from scripts.errors import MismatchError

_PE32_PLUS, _PE32 = 0x20B, 0x10B
_SECURITY = 4  # the entry of the data directories that says where signatures lie


class Section(NamedTuple):
    """One section: its name, content as loaded (without the file's padding), and where it lies in the file."""

    name: str
    content: bytes
    offset: int
    stored: int  # bytes in the file


@dataclass(frozen=True)
class Image:
    """A PE file's bytes and where its parts are."""

    data: bytes
    checksum: int  # offset of the checksum, which is not hashed
    security: int  # offset of the directory's entry of the signatures, which is not hashed
    headers: int  # size of all headers
    sections: tuple[Section, ...]

    def authenticode(self, algorithm: str = "sha384") -> bytes:
        """The digest of the image without its checksum and its signatures."""
        digest = hashlib.new(algorithm)
        digest.update(self.data[: self.checksum])
        digest.update(self.data[self.checksum + 4 : self.security])
        digest.update(self.data[self.security + 8 : self.headers])
        hashed = self.headers
        for section in sorted(self.sections, key=lambda item: item.offset):
            if section.stored:
                digest.update(self.data[section.offset : section.offset + section.stored])
                hashed += section.stored
        _, signatures = struct.unpack_from("<II", self.data, self.security)
        digest.update(self.data[hashed : len(self.data) - signatures])
        return digest.digest()

    def section(self, name: str) -> bytes | None:
        """The content of the first section of that name."""
        return next((section.content for section in self.sections if section.name == name), None)


def parse(data: bytes) -> Image:
    """Find the parts of a PE file. Raises MismatchError where it is none."""
    try:
        return _parse(data)
    except (struct.error, UnicodeDecodeError):
        raise MismatchError("A PE file is cut off.") from None


def _parse(data: bytes) -> Image:
    if data[:2] != b"MZ":
        raise MismatchError("A file that must be a PE file is none.")
    (header,) = struct.unpack_from("<I", data, 0x3C)
    if data[header : header + 4] != b"PE\0\0":
        raise MismatchError("A file that must be a PE file is none.")
    _, count, _, _, _, optional_size, _ = struct.unpack_from("<HHIIIHH", data, header + 4)
    optional = header + 24
    (magic,) = struct.unpack_from("<H", data, optional)
    if magic not in (_PE32, _PE32_PLUS):
        raise MismatchError(f"A PE file has the unknown magic {magic:#x}.")
    directories = optional + (112 if magic == _PE32_PLUS else 96)
    (headers,) = struct.unpack_from("<I", data, optional + 60)
    table = optional + optional_size
    sections = tuple(_section(data, table + 40 * number) for number in range(count))
    return Image(data, optional + 64, directories + 8 * _SECURITY, headers, sections)


def _section(data: bytes, at: int) -> Section:
    name, size, _, stored, offset = struct.unpack_from("<8sIIII", data, at)
    if offset + stored > len(data):
        raise MismatchError("A PE file is cut off.")
    content = data[offset : offset + min(size, stored)].ljust(size, b"\0") if stored else bytes(0)
    return Section(name.rstrip(b"\0").decode("ascii"), content, offset, stored)
