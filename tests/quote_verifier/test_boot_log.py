"""The parser of boot event logs, against logs that machines of others wrote."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from quote_verifier.boot_events import name_of, read
from quote_verifier.boot_log import MAX_BYTES, SEPARATOR, BootEvent, from_tpm, parse_ccel, replay
from quote_verifier.errors import Malformed
from quote_verifier.quote import parse_quote

from simulator import boot

DATA = Path(__file__).with_name("boot_logs")
HEADER = 32  # bytes of the first event before its content


def log_of(*events: tuple[int, int, bytes, bytes]) -> bytes:
    """A log with SHA-384 only: register, type, digest, data."""
    content = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, 0xC, 48, 0)
    out = struct.pack("<II20sI", 0, 3, bytes(20), len(content)) + content
    for index, kind, digest, data in events:
        out += struct.pack("<IIIH", index, kind, 1, 0xC) + digest + struct.pack("<I", len(data)) + data
    return out


EVENT = struct.pack("<IIIH", 1, 5, 1, 0xC)  # register, type, number of digests, algorithm
ONE = log_of((1, 5, bytes(48), b""))


@pytest.mark.parametrize(
    ("name", "count", "rtmr_1"),
    [
        ("ccel-gcp.bin", 21, "204d49f78d29"),
        ("ccel-ovmf.bin", 20, "775b9f6bfe99"),
        ("ccel-alibaba.bin", 87, "3b0b906140fc"),
        ("ccel-cos.bin", 43, "f62dbc072bd5"),
    ],
)
def test_logs_of_others_are_read_to_their_end(name: str, count: int, rtmr_1: str) -> None:
    log = (DATA / name).read_bytes()
    events = parse_ccel(log)
    assert len(events) == count
    assert replay(events)[1].hex().startswith(rtmr_1)
    # The table's memory after the last event changes nothing, whether it is zeros or ones.
    assert parse_ccel(log + bytes(64)) == parse_ccel(log + b"\xff" * 64) == events


def test_a_log_replays_to_the_quote_that_was_published_with_it() -> None:
    log, quote = (DATA / "ccel-cos.bin").read_bytes(), parse_quote((DATA / "quote-cos.bin").read_bytes())
    assert [value.hex() for value in replay(parse_ccel(log))] == [quote.hex(f"rtmr_{number}") for number in range(4)]


def test_the_digests_of_a_qemu_guest_lead_to_its_genuine_quote() -> None:
    told, quote = (
        json.loads((DATA / "events-dstack.json").read_text()),
        parse_quote((DATA / "quote-dstack.bin").read_bytes()),
    )
    events = [BootEvent(one["register"], int(one["type"], 16), bytes.fromhex(one["sha384"]), b"") for one in told]
    assert [value.hex() for value in replay(events)[:3]] == [quote.hex(f"rtmr_{number}") for number in range(3)]


def test_what_extends_nothing_may_name_no_register_as_google_clouds_later_logs_do() -> None:
    event = (1, 5, b"a" * 48, b"data")
    assert parse_ccel(log_of((0xFFFFFFFF, 3, bytes(48), b"SP800-155 Event3"), event)) == parse_ccel(log_of(event))


def test_an_events_digest_is_that_of_its_data_where_the_format_says_so() -> None:
    import hashlib

    checked = 0
    for path in sorted(DATA.glob("ccel-*.bin")):
        for event in parse_ccel(path.read_bytes()):
            if event.kind in (0x80000006, 0x80000007, SEPARATOR):  # EV_EFI_GPT_EVENT, EV_EFI_ACTION, EV_SEPARATOR
                assert hashlib.sha384(event.data).digest() == event.digest
                checked += 1
    assert checked >= 12


def test_each_cut_is_refused_or_leaves_whole_events() -> None:
    log = log_of((1, 5, b"a" * 48, b"data"), (2, 5, b"b" * 48, b""))
    whole = parse_ccel(log)
    for size in range(len(log)):
        try:
            read = parse_ccel(log[:size])
        except Malformed:
            continue
        assert read == whole[: len(read)]
        assert len(read) < len(whole)


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (b"", "cut off"),
        (bytes(64), "does not begin with a Spec ID event"),
        (log_of((5, 5, bytes(48), b"")), "extends register 5"),
        (log_of((1, 5, bytes(48), b"x"))[:-1], "cut off within an event"),
        (ONE.replace(EVENT, struct.pack("<IIIH", 1, 5, 2, 0xC)), "has 2 digests"),
        (ONE.replace(EVENT, struct.pack("<IIIH", 1, 5, 1, 0xB)), "header does not name"),
        (log_of().replace(struct.pack("<HH", 0xC, 48), struct.pack("<HH", 0xC, 32)), "no SHA-384"),
        (log_of().replace(struct.pack("<HH", 0xC, 48), struct.pack("<HH", 0xB, 32)), "no SHA-384"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_by_name(log: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        parse_ccel(log)


def test_a_tpms_log_becomes_the_registers_of_a_td() -> None:
    zeros, one = bytes(48), b"\x01" * 48
    tpm = log_of(
        (0, 5, one, b""), (7, 5, one, b""), (1, SEPARATOR, zeros, b""), (2, SEPARATOR, zeros, b""),
        (4, SEPARATOR, zeros, b""), (5, 5, one, b""), (9, 6, one, b""), (11, 5, one, b""), (16, 5, one, b""),
    )  # fmt: skip
    assert [(event.register, event.kind) for event in from_tpm(tpm)] == [(0, 5), (0, 4), (1, 4), (1, 5), (2, 6), (2, 5)]


def test_a_register_is_extended_from_zeros_in_order() -> None:
    import hashlib

    events = (BootEvent(1, 5, b"a" * 48, b""), BootEvent(1, 5, b"b" * 48, b""))
    first = hashlib.sha384(bytes(48) + b"a" * 48).digest()
    assert replay(events) == (bytes(48), hashlib.sha384(first + b"b" * 48).digest(), bytes(48), bytes(48))


def test_a_log_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match=f"it has 7500000 bytes, more than {MAX_BYTES}"):
        read("A" * 10_000_000)
    with pytest.raises(Malformed, match="more than"):
        parse_ccel(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("kind", "data", "name"),
    [
        (0x80000001, boot.variable("SecureBoot"), "the variable SecureBoot"),
        (0x80000001, boot.variable("<script>"), "a variable"),
        (0x80000001, boot.variable("a" * 33), "a variable"),
        (0x80000001, boot.variable("dbx")[:36], "a variable"),
        (0x80000001, b"", "a variable"),
        (0xA, b"ACPI DATA", "the ACPI tables"),
        (0xA, b"etc/acpi/rsdp", "the ACPI tables"),
        (0xA, bytes(100) + b"ACPI DATA", "a setting of the machine"),
        (0x8000000B, b"\x09TdxTable", "the memory map (TD HOB)"),
        (0x8000000B, b"other", "a table of the firmware"),
        (0x7777, b"a text of the log's", "an event of type 0x7777"),
    ],
)
def test_names_are_ours_whatever_the_log_says(kind: int, data: bytes, name: str) -> None:
    assert name_of(BootEvent(0, kind, bytes(48), data)) == name


def test_every_event_of_others_logs_has_a_name_that_says_more_than_its_type() -> None:
    for path in sorted(DATA.glob("ccel-*.bin")):
        for event in parse_ccel(path.read_bytes()):
            assert event.register == 3 or not name_of(event).startswith("an event of type"), (path.name, event)
