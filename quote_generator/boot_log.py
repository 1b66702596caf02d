"""The boot's event log, for whoever verifies RTMR 0 to 2: what firmware, boot loader and kernel say they measured.

Linux shows the memory that the ACPI table CCEL names as /sys/firmware/acpi/tables/data/CCEL, to root (UEFI
specification 2.10, section 38.4; events, little-endian, as the TCG PC Client Platform Firmware Profile 1.06 has them,
section 10.2.2).
Everybody may ask for it, so it is given without what no verifier needs: of an event's data the first bytes, which name
it, and nothing where boot loaders put their commands and programs their paths. Digests stay, and with them the replay.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from . import library
from .formats import FormatError
from .nonces import base64url

CCEL = Path("/sys/firmware/acpi/tables/data/CCEL")
MOST_BYTES = 512 * 1024  # of what is given; both verifiers take as much
MOST_MEMORY = 16 * 1024 * 1024  # of the table, most of which is empty
NAME_BYTES = 96
#: Types of events whose data begins with a name: UEFI variables, tables and volumes of the firmware, settings of the
#: virtual machine, tags of the kernel. What others hold may be somebody's secret (the commands of GRUB: EV_IPL).
NAMED = frozenset({0x1, 0x6, 0xA, 0x80000001, 0x80000002, 0x80000009, 0x8000000A, 0x8000000B, 0x8000000C, 0x800000E0})
_ENDS = (0, 0xFFFFFFFF)
log = logging.getLogger("quote_generator.attester")


def find(simulated: bool) -> str | None:
    """This machine's log, base64url; None where it has none that can be given, and why is logged."""
    place = _simulated() if simulated else CCEL
    try:
        with place.open("rb") as file:
            memory = file.read(MOST_MEMORY + 1)
        return base64url(given(memory))
    except FileNotFoundError:
        log.info("there is no boot event log at %s", place)
    except (OSError, FormatError) as error:
        log.warning("the boot event log at %s is not given: %s", place, error)
    return None


def _simulated() -> Path:
    """The simulated TD's: what its folder says of this boot, else what lies beside the simulator."""
    state = Path(os.environ.get("TDX_SIM_STATE", "")) / "boot_log"
    return state if "TDX_SIM_STATE" in os.environ and state.exists() else _beside_the_library()


def _beside_the_library() -> Path:
    return Path(library.get().file).with_name("boot_log.bin")


def given(memory: bytes) -> bytes:
    """The log without its texts and without the empty memory behind it. Raises FormatError."""
    if len(memory) > MOST_MEMORY:
        raise FormatError(f"it has more than {MOST_MEMORY} bytes")
    try:
        out = b"".join(_pieces(memory))
    except struct.error:
        raise FormatError("it is cut off") from None
    if len(out) > MOST_BYTES:
        raise FormatError(f"what is to be given has {len(out)} bytes, more than {MOST_BYTES}")
    return out


def _pieces(memory: bytes) -> Iterator[bytes]:
    """The first event, in the old format, which names algorithms and sizes of digests; then each event, shortened."""
    kind, size = struct.unpack_from("<4xI20xI", memory)
    content = memory[32 : 32 + size]
    if kind != 3 or content[:16] != b"Spec ID Event03\0" or len(content) != size:
        raise FormatError("it does not begin with a whole Spec ID event of version 03")
    (count,) = struct.unpack_from("<I", content, 24)
    if count > 8:
        raise FormatError(f"it has {count} algorithms")
    sizes = dict(struct.unpack_from("<HH", content, 28 + 4 * number) for number in range(count))
    yield memory[: 32 + size]
    at = 32 + size
    while at + 12 <= len(memory):
        index, kind, digests = struct.unpack_from("<III", memory, at)
        if index in _ENDS and kind in _ENDS and digests in _ENDS:
            return
        end = _digests_end(memory, at + 12, digests, sizes)
        (length,) = struct.unpack_from("<I", memory, end)
        data = memory[end + 4 : end + 4 + length]
        if len(data) != length:
            raise FormatError("it is cut off within an event")
        name = data[:NAME_BYTES] if kind in NAMED else b""
        yield memory[at:end] + struct.pack("<I", len(name)) + name
        at = end + 4 + length


def _digests_end(memory: bytes, at: int, count: int, sizes: dict[int, int]) -> int:
    """Where an event's digests end. Raises FormatError."""
    if count != len(sizes):
        raise FormatError(f"an event has {count} digests, expected {len(sizes)}")
    for _ in range(count):
        (algorithm,) = struct.unpack_from("<H", memory, at)
        if algorithm not in sizes:
            raise FormatError("an event has a digest of an algorithm that the header does not name")
        at += 2 + sizes[algorithm]
    return at
