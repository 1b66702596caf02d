"""What the simulated TD's firmware, boot loader and kernel measured: its boot event log, and the registers after it.

The log has a TD's format (quote_verifier's boot_log.py), kinds and order of events as a kernel that QEMU's TDVF starts
logs them. The digests are stand-ins, but for those of constants, which are everybody's.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import NamedTuple


class Event(NamedTuple):
    """An RTMR (0 to 3), the event's type, its SHA-384, and what the log tells of it."""

    register: int
    kind: int
    digest: bytes
    data: bytes


def _of(register: int, kind: int, data: bytes, label: str = "") -> Event:
    """An event whose digest is that of its data, or a stand-in where `label` names what was hashed."""
    hashed = b"open-webui-tdx simulator: " + label.encode() if label else data
    return Event(register, kind, hashlib.sha384(hashed).digest(), data)


def variable(name: str, value: bytes = b"") -> bytes:
    """UEFI_VARIABLE_DATA: the vendor's GUID (zeros here), sizes, name and value."""
    return struct.pack("<16sQQ", bytes(16), len(name), len(value)) + name.encode("utf-16-le") + value


SEPARATOR = bytes(4)
ACPI = tuple(_of(0, 0xA, b"ACPI DATA", f"ACPI {part}") for part in ("loader", "pointer", "tables"))
EVENTS: tuple[Event, ...] = (
    _of(0, 0x8000000B, b"\x09TdxTable\0" + bytes(32), "TD HOB"),
    _of(0, 0x8000000A, b"\x29Fv(00000000-0000-0000-0000-000000000000)" + bytes(16), "configuration volume"),
    *(_of(0, 0x80000001, variable(name)) for name in ("SecureBoot", "PK", "KEK", "db", "dbx")),
    _of(0, 0x4, SEPARATOR),
    *ACPI,
    _of(0, 0x80000002, variable("BootOrder", bytes(2)), "BootOrder"),
    _of(0, 0x80000002, variable("Boot0000", bytes(62)), "Boot0000"),
    _of(1, 0x80000007, b"Calling EFI Application from Boot Option"),
    _of(1, 0x80000006, b"EFI PART" + bytes(92), "partition table"),
    _of(1, 0x80000003, bytes(32), "kernel"),
    _of(1, 0x80000007, b"Exit Boot Services Invocation"),
    _of(1, 0x80000007, b"Exit Boot Services Returned with Success"),
    _of(2, 0x6, struct.pack("<II", 0x8F3B22ED, 26) + b"LOADED_IMAGE::LoadOptions\0", "command line"),
    _of(2, 0x6, struct.pack("<II", 0x8F3B22EC, 13) + b"Linux initrd\0", "initrd"),
)


def log(events: Sequence[Event] = EVENTS) -> bytes:
    """The log of these events: a Spec ID event that names SHA-384, then one TCG_PCR_EVENT2 each."""
    content = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, 0xC, 48, 0)
    out = struct.pack("<II20sI", 0, 3, bytes(20), len(content)) + content
    for event in events:
        out += struct.pack("<IIIH", event.register + 1, event.kind, 1, 0xC) + event.digest
        out += struct.pack("<I", len(event.data)) + event.data
    return out


def registers(events: Sequence[Event] = EVENTS) -> tuple[bytes, bytes, bytes, bytes]:
    """RTMR 0 to 3 after these events."""
    values = [bytes(48)] * 4
    for event in events:
        values[event.register] = hashlib.sha384(values[event.register] + event.digest).digest()
    return values[0], values[1], values[2], values[3]
