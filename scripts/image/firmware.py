"""What a firmware for TDX (TDVF) makes of a TD: its MRTD, and which events of RTMR 0 follow from the file alone.

Read from the file (Intel, "TDX Virtual Firmware Design Guide", section 11; edk2, OvmfPkg/ResetVector): a table at its
end leads to the metadata, which list the sections that the host puts into the TD's memory. Integers are little-endian.

MRTD (Intel, "TDX Module Base Architecture Specification", MRTD): SHA-384 over 128 bytes for each page that is added, in
the order of the metadata, and over 128 bytes and the content for each 256 bytes that are measured:
    "MEM.PAGE.ADD", zeros to 16, address (8 bytes), zeros to 128
    "MR.EXTEND", zeros to 16, address (8 bytes), zeros to 128, then the 256 bytes
QEMU gives KVM one section after the other (target/i386/kvm/tdx.c). KVM of Linux 6.16 and later measures each page as it
is added (arch/x86/kvm/vmx/tdx.c); hosts before that added a whole section first.

RTMR 0 (edk2, OvmfPkg and SecurityPkg; the order is that of published logs): memory map, volume of the variables,
variables of secure boot, separator, ACPI tables, boot options, and with some builds a separator once more.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from scripts.errors import UsageError
from scripts.image.prediction import Expected

PAGE, CHUNK = 4096, 256
_END = 32  # bytes behind the table of GUIDs: the reset vector
_FOOTER = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
_METADATA = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le
CODE, VARIABLES, HOB, MEMORY = 0, 1, 2, 3  # types of sections
_MEASURED = 1  # the only attribute that firmware for QEMU has
#: How the host measures: a page as it is added, or a section when all of its pages are there.
ORDERS = ("page", "section")
SEPARATOR, VARIABLE, VOLUME, TABLE, SETTING, BOOT = 0x4, 0x80000001, 0x8000000A, 0x8000000B, 0xA, 0x80000002

_GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
_STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792").bytes_le  # of authenticated variables
_VARIABLE = struct.Struct("<HBxIQ16sIII16s")
_THERE = (0x3F, 0x3E)  # states of a variable: added; the same, about to be replaced


class Section(NamedTuple):
    """One section: where it lies in the file, where in the TD's memory, its type and attributes."""

    offset: int
    stored: int  # bytes in the file
    address: int
    size: int  # bytes in memory
    kind: int
    attributes: int


class Predicted(NamedTuple):
    """One event of RTMR 0: its type, what it is, and the digests it may have; none where the machine decides it."""

    kind: int
    what: str
    digests: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Firmware:
    """A firmware file and the sections that its metadata list, in their order."""

    name: str
    data: bytes
    sections: tuple[Section, ...]

    def mr_td(self, order: str = ORDERS[0]) -> bytes:
        """MRTD (48 bytes) of a TD that starts with it on a host that measures in this order."""
        digest = hashlib.sha384()
        for section in self.sections:
            pages = range(section.address, section.address + section.size, PAGE)
            for address in pages:
                digest.update(_record(b"MEM.PAGE.ADD", address))
                if order == "page":
                    self._extend(digest, section, address)
            if order == "section":
                for address in pages:
                    self._extend(digest, section, address)
        return digest.digest()

    def _extend(self, digest: Any, section: Section, page: int) -> None:
        if not section.attributes & _MEASURED:
            return
        for address in range(page, page + PAGE, CHUNK):
            at = section.offset + address - section.address
            digest.update(_record(b"MR.EXTEND", address) + self.data[at : at + CHUNK])

    def rtmr_0(self) -> list[Predicted]:
        """The events of RTMR 0 in their order; those without digests are decided by the machine's shape."""
        section = next(item for item in self.sections if item.kind == VARIABLES)
        volume = self.data[section.offset : section.offset + section.stored]
        enrolled = variables(volume)
        keys = [(_GLOBAL, "PK"), (_GLOBAL, "KEK"), (_SECURITY, "db"), (_SECURITY, "dbx")]
        # Whether secure boot is on follows from the keys; a build without it has no such variable.
        states = (b"", b"\0", b"\1") if (_GLOBAL, "PK") in enrolled else (b"", b"\0")
        return [
            Predicted(TABLE, "the memory map (TD HOB)"),
            Predicted(VOLUME, "a volume of the firmware", (hashlib.sha384(volume).digest(),)),
            Predicted(
                VARIABLE,
                "the variable SecureBoot",
                tuple(variable_digest(_GLOBAL, "SecureBoot", state) for state in states),
            ),
            *(
                Predicted(
                    VARIABLE, f"the variable {name}", (variable_digest(guid, name, enrolled.get((guid, name), b"")),)
                )
                for guid, name in keys
            ),
            Predicted(SEPARATOR, "the separator", (hashlib.sha384(bytes(4)).digest(),)),
            *[Predicted(SETTING, "the ACPI tables")] * 3,
            Predicted(BOOT, "the boot options"),
        ]

    def document(self) -> dict[str, Any]:
        """What the prediction says of it (scripts/image/platform.py)."""
        return {
            "name": self.name,
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "mr_td": {order: self.mr_td(order).hex() for order in ORDERS},
            "rtmr_0": [
                {"type": f"{item.kind:#x}", "sha384": [digest.hex() for digest in item.digests], "what": item.what}
                for item in self.rtmr_0()
            ],
        }

    def missing(self, logged: Iterable[Expected]) -> list[str]:
        """Which of its own events are not among those of RTMR 0, in their order, by name."""
        digests, lacking = [event.digest for event in logged], []
        for item in self.rtmr_0():
            at = next((number for number, digest in enumerate(digests) if digest in item.digests), None)
            if at is not None:
                del digests[: at + 1]
            elif item.digests:
                lacking.append(item.what)
        return lacking

    def shape(self, logged: Iterable[Expected]) -> list[str]:
        """The names of events that do not follow from it: they are the machine's, taken from a look at it."""
        own = {digest for item in self.rtmr_0() for digest in item.digests}
        return list(dict.fromkeys(event.what for event in logged if event.digest not in own))


def read(path: Path) -> Firmware:
    """The firmware in this file. Raises UsageError: no such file, or none that a TD could start with."""
    try:
        return parse(path.name, path.read_bytes())
    except OSError as error:
        raise UsageError(f"The firmware {path} cannot be read: {error.strerror}.") from None


def parse(name: str, data: bytes) -> Firmware:
    """The firmware with these bytes. Raises UsageError."""
    try:
        sections = tuple(_sections(data))
    except struct.error:
        raise UsageError(f"The firmware {name} is cut off.") from None
    except ValueError as error:
        raise UsageError(f"The firmware {name} cannot start a TD: {error}.") from None
    return Firmware(name, data, sections)


def _record(what: bytes, address: int) -> bytes:
    return struct.pack("<16sQ104x", what, address)


def _sections(data: bytes) -> Iterator[Section]:
    """Raises ValueError: why QEMU would not start a TD with it."""
    at = _metadata(data)
    signature, length, version, count = struct.unpack_from("<4sIII", data, at)
    if signature != b"TDVF" or version != 1 or length != 16 + 32 * count or count > 64:
        raise ValueError("its TDX metadata are not of version 1")
    kinds = []
    for number in range(count):
        section = Section(*struct.unpack_from("<IIQQII", data, at + 16 + 32 * number))
        _check(section, len(data))
        kinds.append(section.kind)
        yield section
    if CODE not in kinds or kinds.count(HOB) != 1 or kinds.count(VARIABLES) != 1:
        raise ValueError("its TDX metadata do not name volumes of code, one of variables and one memory map")


def _check(section: Section, total: int) -> None:
    where = f"a section of its TDX metadata, at {section.address:#x},"
    if section.kind not in (CODE, VARIABLES, HOB, MEMORY) or section.attributes & ~_MEASURED:
        raise ValueError(f"{where} has type {section.kind} and attributes {section.attributes:#x}, which is not known")
    if section.address % PAGE or section.size % PAGE or section.address + section.size > 1 << 52:
        raise ValueError(f"{where} does not consist of whole pages")
    if section.size > 64 << 20:
        raise ValueError(f"{where} has {section.size} bytes, more than any firmware needs")
    if section.kind in (HOB, MEMORY):
        if section.stored or section.attributes:
            raise ValueError(f"{where} is memory, and yet has a content")
    elif section.stored != section.size:
        raise ValueError(f"{where} has {section.stored} bytes in the file and {section.size} in memory")
    if section.offset + section.stored > total:
        raise ValueError(f"{where} is not in the file, which has {total} bytes: give one file with code and variables")


def _metadata(data: bytes) -> int:
    """Where the metadata begin: entries (content, length with this and the GUID, GUID) end before the file's end."""
    at = len(data) - _END
    if at < 18 or data[at - 16 : at] != _FOOTER:
        raise ValueError("it does not end as edk2's firmware for virtual machines does")
    at, first = at - 18, at - struct.unpack_from("<H", data, at - 18)[0]
    while at - 18 >= max(first, 0):
        (length,) = struct.unpack_from("<H", data, at - 18)
        if length < 18:
            break
        if data[at - 16 : at] == _METADATA and length >= 22:
            place = len(data) - struct.unpack_from("<I", data, at - 22)[0]
            if place < 0:
                break
            return int(place)
        at -= length
    raise ValueError("it has no TDX metadata, as a build for TDX has")


def variable_digest(guid: uuid.UUID, name: str, content: bytes) -> bytes:
    """SHA-384 of UEFI_VARIABLE_DATA (TCG PC Client Platform Firmware Profile 1.06, section 10.2.6)."""
    head = guid.bytes_le + struct.pack("<QQ", len(name), len(content))
    return hashlib.sha384(head + name.encode("utf-16-le") + content).digest()


def variables(volume: bytes) -> Mapping[tuple[uuid.UUID, str], bytes]:
    """The variables in a volume of authenticated ones (edk2, MdeModulePkg: AuthenticatedVariableFormat.h).

    Empty where none was set. Raises UsageError: it is cut off, or has another format.
    """
    try:
        return dict(_variables(volume))
    except (struct.error, ValueError):
        raise UsageError("The firmware's volume of variables has a format that is not known.") from None


def _variables(volume: bytes) -> Iterator[tuple[tuple[uuid.UUID, str], bytes]]:
    (at,) = struct.unpack_from("<H", volume, 48)  # the length of the volume's header
    if volume[40:44] != b"_FVH" or volume[at : at + 16] != _STORE:
        raise ValueError
    (size,) = struct.unpack_from("<I", volume, at + 16)
    end, at = at + size, at + 28
    while at + _VARIABLE.size <= end and volume[at : at + 2] == b"\xaa\x55":
        _, state, _, _, _, _, name_size, size, guid = _VARIABLE.unpack_from(volume, at)
        at += _VARIABLE.size
        name, content = volume[at : at + name_size], volume[at + name_size : at + name_size + size]
        if len(content) != size:
            raise ValueError
        if state in _THERE:
            yield (uuid.UUID(bytes_le=guid), name.decode("utf-16-le").rstrip("\0")), content
        at += -(-(name_size + size) // 4) * 4
