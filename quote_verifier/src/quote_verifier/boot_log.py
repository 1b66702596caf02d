"""The boot's event log: what firmware, boot stub and kernel say they measured before any program of ours ran.

In a TD it is the memory that the ACPI table CCEL names; its registers are 1 to 4 for RTMR 0 to 3 (UEFI specification
2.10, section 38.4.1). A TPM's log has the same format with PCRs 0 to 15 (TCG PC Client Platform Firmware Profile 1.06,
section 10.2.2, TCG_PCR_EVENT2). All integers are little-endian. Nothing in a log is true until it replays to registers
that a quote holds.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import Malformed

SHA384 = 0xC
NO_ACTION, SEPARATOR = 0x3, 0x4
_SIZES = {0x4: 20, 0xB: 32, SHA384: 48, 0xD: 64, 0x12: 32}  # TPM_ALG_ID -> bytes of a digest
MAX_BYTES = 512 * 1024
_ENDS = (0xFFFFFFFF, 0)


@dataclass(frozen=True)
class BootEvent:
    """One event: the register it extends (0 to 3), its type, its SHA-384, and what the log says of it (unproven)."""

    register: int
    kind: int
    digest: bytes
    data: bytes


@dataclass(frozen=True)
class _Logged:
    index: int
    kind: int
    digest: bytes
    data: bytes


def parse_ccel(log: bytes) -> tuple[BootEvent, ...]:
    """The events of a TD's log. Raises `Malformed`: cut off, no SHA-384, a register that no TD has, too long."""
    if len(log) > MAX_BYTES:
        raise Malformed(f"it has {len(log)} bytes, more than {MAX_BYTES}")
    found = []
    for event in _events(log):
        if not 1 <= event.index <= 4:
            raise Malformed(f"it extends register {event.index}, and a TD has 1 to 4")
        found.append(BootEvent(event.index - 1, event.kind, event.digest, event.data))
    return tuple(found)


def from_tpm(log: bytes) -> tuple[BootEvent, ...]:
    """The events of a TPM's log as a TD would have them, where nothing but a TPM measured the boot: for simulations.

    PCRs 1 and 7 are RTMR 0, 2 to 6 RTMR 1, 8 to 15 RTMR 2; PCR 0 is firmware, which MRTD has. A TPM gets a separator
    for each of its PCRs, a TD one for each register. Raises `Malformed`.
    """
    found: list[BootEvent] = []
    separated = set()
    for event in _events(log):
        register = 0 if event.index in (1, 7) else 1 if 2 <= event.index <= 6 else 2 if 8 <= event.index <= 15 else None
        if register is None or (event.kind == SEPARATOR and register in separated):
            continue
        if event.kind == SEPARATOR:
            separated.add(register)
        found.append(BootEvent(register, event.kind, event.digest, event.data))
    return tuple(found)


def replay(events: Iterable[BootEvent]) -> tuple[bytes, bytes, bytes, bytes]:
    """RTMR 0 to 3 after these events, each from zeros: SHA-384(register || digest)."""
    digests: list[list[bytes]] = [[], [], [], []]
    for event in events:
        digests[event.register].append(event.digest)
    return extended(digests[0]), extended(digests[1]), extended(digests[2]), extended(digests[3])


def extended(digests: Iterable[bytes]) -> bytes:
    """A register that was zeros, extended by these digests of 48 bytes in order."""
    register = bytes(48)
    for digest in digests:
        register = hashlib.sha384(register + digest).digest()
    return register


def _events(log: bytes) -> Iterable[_Logged]:
    """Everything that extends a register, in order. The first event says which digests the others have."""
    try:
        algorithms, at = _header(log)
        while at + 12 <= len(log):
            index, kind, count = struct.unpack_from("<III", log, at)
            if index in _ENDS and kind in _ENDS and count in _ENDS:
                return  # the rest of the table's memory, zeros or ones
            digests, at = _digests(log, at + 12, count, algorithms)
            (size,) = struct.unpack_from("<I", log, at)
            at += 4
            if at + size > len(log):
                raise Malformed("it is cut off within an event")
            if kind != NO_ACTION:
                yield _Logged(index, kind, digests[SHA384], log[at : at + size])
            at += size
    except struct.error:
        raise Malformed("it is cut off") from None


def _header(log: bytes) -> tuple[dict[int, int], int]:
    """TCG_EfiSpecIDEvent in an event of the old format: algorithms with their sizes, where the next event begins."""
    _, kind, _, size = struct.unpack_from("<II20sI", log, 0)
    content = log[32 : 32 + size]
    if kind != NO_ACTION or content[:16] != b"Spec ID Event03\0":
        raise Malformed("it does not begin with a Spec ID event of version 03")
    (count,) = struct.unpack_from("<I", content, 24)
    if count > len(_SIZES):
        raise Malformed(f"it has {count} algorithms")
    algorithms = dict(struct.unpack_from("<HH", content, 28 + 4 * number) for number in range(count))
    wrong = [name for name, length in algorithms.items() if _SIZES.get(name) != length]
    if wrong or SHA384 not in algorithms:
        raise Malformed("it has no SHA-384 digests, or an algorithm that is not known")
    if len(content) != size:
        raise Malformed("it is cut off")
    return algorithms, 32 + size


def _digests(log: bytes, at: int, count: int, algorithms: dict[int, int]) -> tuple[dict[int, bytes], int]:
    if count != len(algorithms):
        raise Malformed(f"an event has {count} digests, expected {len(algorithms)}")
    found: dict[int, bytes] = {}
    for _ in range(count):
        (algorithm,) = struct.unpack_from("<H", log, at)
        if algorithm not in algorithms or algorithm in found:
            raise Malformed("an event has a digest of an algorithm that the header does not name")
        size = algorithms[algorithm]
        found[algorithm] = log[at + 2 : at + 2 + size]
        if len(found[algorithm]) != size:
            raise Malformed("it is cut off within a digest")
        at += 2 + size
    return found, at
