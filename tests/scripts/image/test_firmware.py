"""What follows from a firmware file alone, against logs that others published and files put together by hand."""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
from collections.abc import Iterable
from pathlib import Path

import pytest
from quote_verifier.boot_events import name_of
from quote_verifier.boot_log import BootEvent, parse_ccel

from scripts.errors import UsageError
from scripts.image import firmware
from scripts.image.prediction import Expected

LOGS = Path(__file__).parents[2] / "quote_verifier" / "boot_logs"
CODE = b"".join(bytes([number]) * 256 for number in range(32))  # two pages
BASE = (1 << 32) - len(CODE)
#: The two places of an empty volume of variables (edk2, 4 MiB) that are not 0xff: its header and the store's, and the
#: header of the space that keeps writing safe from power cuts.
HEADERS = bytes.fromhex(
    "000000000000000000000000000000008d2bf1ff96768b4ca9852747075b4f5000400800000000005f465648fffe04004800afb80000000284"
    "000000001000000000000000000000782cf3aa7b949a43a1802e144ec37792b8ff03005afe000000000000"
)
SPACE = bytes.fromhex("2b29589e687c7d49a0ce6500fd9f1b952caf2c64feffffffe00f000000000000")
EMPTY = (HEADERS.ljust(0x41000, b"\xff") + SPACE).ljust(0x84000, b"\xff")

Row = tuple[int, int, int, int, int, int]
SMALL: list[Row] = [
    (0x84000, len(CODE), BASE, len(CODE), firmware.CODE, 1),
    (0, 0x84000, BASE - 0x84000, 0x84000, firmware.VARIABLES, 0),
    (0, 0, 0x810000, 0x2000, firmware.MEMORY, 0),
    (0, 0, 0x809000, 0x1000, firmware.HOB, 0),
]


def built(sections: Iterable[Row] = SMALL, volume: bytes = EMPTY, version: int = 1) -> bytes:
    """A file as edk2 puts it together: volume, code, and at its end metadata, table of GUIDs and reset vector."""
    rows = list(sections)
    metadata = struct.pack("<4sIII", b"TDVF", 16 + 32 * len(rows), version, len(rows))
    metadata += b"".join(struct.pack("<IIQQII", *row) for row in rows)
    other = struct.pack("<IH", 7, 22) + bytes(16)
    place = struct.pack("<IH", 0, 22) + uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le
    size = len(other) + len(place) + 18
    footer = struct.pack("<H", size) + uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
    place = struct.pack("<I", len(metadata) + size + 32) + place[4:]
    tail = metadata + place + other + footer + bytes(32)
    return volume + CODE[: -len(tail)] + tail


def record(what: bytes, address: int) -> bytes:
    return what.ljust(16, b"\0") + address.to_bytes(8, "little") + bytes(104)


def logged(name: str) -> list[BootEvent]:
    return [event for event in parse_ccel((LOGS / name).read_bytes()) if event.register == 0]


def named(events: Iterable[BootEvent]) -> list[Expected]:
    return [Expected(event.kind, event.digest, name_of(event)) for event in events]


def test_mrtd_is_pages_added_and_the_measured_ones_extended_each_as_it_is_added() -> None:
    data = built()
    text = b""
    for page in (BASE, BASE + 4096):
        text += record(b"MEM.PAGE.ADD", page)
        for address in range(page, page + 4096, 256):
            text += record(b"MR.EXTEND", address) + data[0x84000 + address - BASE :][:256]
    for page in (*range(BASE - 0x84000, BASE, 4096), 0x810000, 0x811000, 0x809000):
        text += record(b"MEM.PAGE.ADD", page)
    assert firmware.parse("f", data).mr_td() == hashlib.sha384(text).digest()


def test_a_host_that_adds_a_whole_section_first_gives_another_mrtd() -> None:
    data = built(SMALL)
    text = record(b"MEM.PAGE.ADD", BASE) + record(b"MEM.PAGE.ADD", BASE + 4096)
    for address in range(BASE, BASE + 8192, 256):
        text += record(b"MR.EXTEND", address) + data[0x84000 + address - BASE :][:256]
    for page in (*range(BASE - 0x84000, BASE, 4096), 0x810000, 0x811000, 0x809000):
        text += record(b"MEM.PAGE.ADD", page)
    found = firmware.parse("f", data)
    assert found.mr_td("section") == hashlib.sha384(text).digest() != found.mr_td("page")


def test_every_byte_of_the_code_and_each_place_in_memory_is_in_mrtd() -> None:
    data, values = built(), set()
    for at in range(0x84000, len(data) - 400, 333):
        changed = bytearray(data)
        changed[at] ^= 1
        values.add(firmware.parse("f", bytes(changed)).mr_td())
    moved = [*SMALL[:2], (0, 0, 0x812000, 0x2000, firmware.MEMORY, 0), SMALL[3]]
    values.add(firmware.parse("f", built(moved)).mr_td())
    values.add(firmware.parse("f", built(reversed(SMALL))).mr_td())
    values.add(firmware.parse("f", data).mr_td())
    assert len(values) == len(range(0x84000, len(data) - 400, 333)) + 3


@pytest.mark.parametrize("name", ["ccel-ovmf.bin", "ccel-gcp.bin", "ccel-cos.bin"])
def test_the_kinds_and_the_order_of_rtmr_0_are_those_of_others_machines(name: str) -> None:
    expected = [item.kind for item in firmware.parse("f", built()).rtmr_0()]
    assert [event.kind for event in logged(name)][: len(expected)] == expected


def test_an_empty_volume_of_variables_is_measured_as_a_machine_with_such_a_firmware_logged_it() -> None:
    own, events = firmware.parse("f", built()), named(logged("ccel-ovmf.bin"))
    assert own.missing(events) == []
    assert own.shape(events) == [
        "the memory map (TD HOB)", "the ACPI tables", "the variable BootOrder", "the variable Boot0000",
    ]  # fmt: skip


def test_a_genuine_quote_of_a_qemu_guest_holds_what_follows_from_a_firmware_with_an_empty_volume() -> None:
    """That these events lead to its RTMR 0: tests/quote_verifier/test_boot_log.py."""
    told = [one for one in json.loads((LOGS / "events-dstack.json").read_text()) if one["register"] == 0]
    events = [Expected(int(one["type"], 16), bytes.fromhex(one["sha384"]), "") for one in told]
    own = firmware.parse("f", built())
    assert own.missing(events) == []
    expected = [item.kind for item in own.rtmr_0()]
    assert [event.kind for event in events][: len(expected)] == expected


def test_a_machine_with_other_variables_is_told_by_name() -> None:
    own = firmware.parse("f", built())
    assert own.missing(named(logged("ccel-gcp.bin"))) == [
        "a volume of the firmware", "the variable PK", "the variable KEK", "the variable db", "the variable dbx",
    ]  # fmt: skip
    events = named(logged("ccel-ovmf.bin"))
    assert own.missing([events[2], events[1], *events[3:]]) == ["the variable SecureBoot"]  # not in its place
    assert own.missing([]) == [item.what for item in own.rtmr_0() if item.digests]


def enrolled(*rows: tuple[int, uuid.UUID, str, bytes]) -> bytes:
    """A volume with these variables: state, GUID, name, content."""
    store = b""
    for state, guid, name, content in rows:
        text = (name + "\0").encode("utf-16-le")
        store += struct.pack("<HBxIQ16sIII16s", 0x55AA, state, 7, 0, b"", 0, len(text), len(content), guid.bytes_le)
        store += (text + content).ljust(-(-len(text + content) // 4) * 4, b"\xff")
    return EMPTY[: len(HEADERS)] + store + EMPTY[len(HEADERS) + len(store) :]


GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")


def test_keys_that_are_enrolled_are_measured_as_machines_with_such_keys_logged_them() -> None:
    contents = {name_of(event): event for event in logged("ccel-gcp.bin") if event.kind == firmware.VARIABLE}
    rows = []
    for guid, name in ((GLOBAL, "PK"), (GLOBAL, "KEK"), (SECURITY, "db"), (SECURITY, "dbx")):
        data = contents[f"the variable {name}"].data
        rows += [(0x3C, guid, name, b"deleted"), (0x3F, guid, name, data[32 + 2 * len(name) :])]
    own = firmware.parse("f", built(volume=enrolled(*rows)))
    assert own.missing(named(logged("ccel-gcp.bin"))) == ["a volume of the firmware"]  # Google's has another size
    states = {item.what: item.digests for item in own.rtmr_0()}["the variable SecureBoot"]
    assert firmware.variable_digest(GLOBAL, "SecureBoot", b"\1") in states


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "does not end as edk2's firmware"),
        (built()[:-1], "does not end as edk2's firmware"),
        (built().replace(uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2").bytes_le, bytes(16)), "has no TDX metadata"),
        (built(version=2), "metadata are not of version 1"),
        (built()[0x84000:], "is not in the file, which has 8192 bytes: give one file with code and variables"),
        (built(SMALL[1:]), "do not name volumes of code"),
        (built(SMALL[:3]), "do not name volumes of code"),
        (built([*SMALL, SMALL[1]]), "one of variables and one memory map"),
        (built([*SMALL, (0, 0, 0x820000, 0x1000, 4, 0)]), "at 0x820000, has type 4 and attributes 0x0"),
        (built([*SMALL, (0, 0, 0x820000, 0x1000, firmware.MEMORY, 2)]), "has type 3 and attributes 0x2"),
        (built([*SMALL, (0, 0, 0x820000, 0x1000, firmware.MEMORY, 1)]), "is memory, and yet has a content"),
        (built([*SMALL, (0, 0, 0x820001, 0x1000, firmware.MEMORY, 0)]), "does not consist of whole pages"),
        (built([*SMALL, (0, 0, 0x820000, 1 << 40, firmware.MEMORY, 0)]), "more than any firmware needs"),
        (built([(0, 4096, BASE, 8192, firmware.CODE, 1), *SMALL[1:]]), "has 4096 bytes in the file and 8192 in memory"),
    ],
)
def test_what_could_not_start_a_td_is_refused_and_says_why(data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=f"The firmware f cannot start a TD: .*{says}"):
        firmware.parse("f", data)


CUT = enrolled((0x3F, GLOBAL, "PK", b"a key"))[: len(HEADERS) + 60 + 6 + 4]


@pytest.mark.parametrize("volume", [bytes(0x84000), EMPTY[:40], EMPTY.replace(EMPTY[72:88], bytes(16)), CUT])
def test_a_volume_of_variables_in_another_format_is_refused(volume: bytes) -> None:
    with pytest.raises(UsageError, match="has a format that is not known"):
        firmware.variables(volume)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing.fd cannot be read: No such file"):
        firmware.read(tmp_path / "missing.fd")
