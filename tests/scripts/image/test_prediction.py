"""What the build predicts, against what machines of others logged and against files put together by hand."""

from __future__ import annotations

import hashlib
import struct
import uuid
from pathlib import Path

import pytest
from quote_verifier.boot_log import parse_ccel

from scripts.errors import MismatchError
from scripts.image import gpt, pe, prediction

LOGS = Path(__file__).parents[2] / "quote_verifier" / "boot_logs"
ACTIONS = {prediction.CALLING, *prediction.EXITING}


def program(sections: dict[str, bytes], signature: bytes = b"") -> bytes:
    """A PE32+ file with these sections, each stored in whole 512 bytes, and a signature behind them."""
    header, optional = 0x80, 240
    table = header + 24 + optional
    headers = -(-(table + 40 * len(sections)) // 512) * 512
    out = bytearray(b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", header)).ljust(header, b"\0")
    out += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, optional, 0x22)
    fields = bytearray(optional)
    struct.pack_into("<H", fields, 0, 0x20B)
    struct.pack_into("<I", fields, 60, headers)
    struct.pack_into("<I", fields, 64, 0xDEADBEEF)  # the checksum, which is not hashed
    rows, body = bytearray(), bytearray()
    for name, content in sections.items():
        stored = content.ljust(-(-len(content) // 512) * 512, b"\0")
        rows += struct.pack("<8sIIII", name.encode(), len(content), 0x1000, len(stored), headers + len(body)) + bytes(
            16
        )
        body += stored
    struct.pack_into("<II", fields, 112 + 8 * 4, headers + len(body) if signature else 0, len(signature))
    return bytes((out + fields + rows).ljust(headers, b"\0") + body + signature)


LINUX = program({".text": b"kernel code"}, b"Debian's signature")
UKI = program(
    {".text": b"stub", ".sbat": b"sbat,1", ".linux": LINUX, ".cmdline": b"a=b verity=1", ".initrd": b"070701"}
)
TABLE = gpt.layout(
    uuid.UUID(int=1), [(gpt.ESP, uuid.UUID(int=2), "esp", 1 << 20), (gpt.LINUX_DATA, uuid.UUID(int=3), "r", 512)]
)


def test_constant_events_are_those_that_machines_logged() -> None:
    expected = {
        item.digest for item in prediction.rtmr_1(UKI, TABLE) if item.kind in (prediction.ACTION, prediction.SEPARATOR)
    }
    for name in ("ccel-gcp.bin", "ccel-alibaba.bin"):
        events = [event for event in parse_ccel((LOGS / name).read_bytes()) if event.register == 1]
        assert expected <= {event.digest for event in events}


def test_the_order_of_rtmr_1_is_that_of_a_unified_kernel_image_on_googles_firmware() -> None:
    logged = [event.kind for event in parse_ccel((LOGS / "ccel-gcp.bin").read_bytes()) if event.register == 1]
    assert [item.kind for item in prediction.rtmr_1(UKI, TABLE)] == logged


def test_command_line_and_initrd_come_last_and_are_measured_as_a_kernel_logged_them() -> None:
    logged = [event for event in parse_ccel((LOGS / "ccel-ovmf.bin").read_bytes()) if event.register == 2]
    last = prediction.rtmr_2(UKI)[-2:]
    assert [item.kind for item in last] == [event.kind for event in logged]
    assert [b"LoadOptions" in logged[0].data, b"initrd" in logged[1].data] == [True, True]
    assert last[0].digest == hashlib.sha384("a=b verity=1\0".encode("utf-16-le")).digest()
    assert last[1].digest == hashlib.sha384(b"070701").digest()


def test_sections_are_measured_by_name_and_content_in_the_stubs_order() -> None:
    found = prediction.rtmr_2(UKI)[:-2]
    assert [item.what for item in found[::2]] == [
        f"name of {name}" for name in (".linux", ".cmdline", ".initrd", ".sbat")
    ]
    assert found[0].digest == hashlib.sha384(b".linux\0").digest()
    assert found[1].digest == hashlib.sha384(LINUX).digest()
    assert found[3].digest == hashlib.sha384(b"a=b verity=1").digest()


@pytest.mark.parametrize("name", ["ccel-gcp.bin", "ccel-alibaba.bin"])
def test_a_partition_tables_event_is_made_as_firmware_made_it(name: str) -> None:
    logged = next(event.data for event in parse_ccel((LOGS / name).read_bytes()) if event.kind == prediction.GPT)
    fields = gpt.HEADER.unpack_from(logged)
    (count,) = struct.unpack_from("<Q", logged, gpt.HEADER.size)
    partitions = []
    for at in range(gpt.HEADER.size + 8, len(logged), 128):
        kind, guid, first, last, attributes, label = struct.unpack_from("<16s16sQQQ72s", logged, at)
        text = label.decode("utf-16-le").rstrip("\0")
        partitions.append(gpt.Partition(uuid.UUID(bytes_le=kind), uuid.UUID(bytes_le=guid), first, last, text))
        assert attributes == 0 or name == "ccel-gcp.bin"
    assert len(partitions) == count
    made = gpt.Table(uuid.UUID(bytes_le=fields[9]), fields[6] + 1, tuple(partitions)).event()
    # Everything but the usable sectors and the checksums, which are the partitioning tool's choice.
    assert made[:16] == logged[:16]
    assert made[56:72] == logged[56:72]
    assert made[92:100] == logged[92:100]


def test_the_signed_digest_leaves_out_checksum_and_signature() -> None:
    image = pe.parse(LINUX)
    plain = program({".text": b"kernel code"})
    changed = bytearray(plain)
    struct.pack_into("<I", changed, 0x80 + 24 + 64, 7)
    assert image.authenticode() == pe.parse(plain).authenticode() == pe.parse(bytes(changed)).authenticode()
    start = 0x80 + 24
    hashed = plain[: start + 64] + plain[start + 68 : start + 144] + plain[start + 152 :]
    assert image.authenticode("sha256") == hashlib.sha256(hashed).digest()


def test_every_other_byte_changes_the_digest() -> None:
    image = pe.parse(UKI)
    for at in range(0, len(UKI), 97):
        changed = bytearray(UKI)
        changed[at] ^= 1
        if image.checksum <= at < image.checksum + 4 or image.security <= at < image.security + 8:
            continue
        try:
            digest = pe.parse(bytes(changed)).authenticode()
        except MismatchError:
            continue
        assert digest != image.authenticode(), at


@pytest.mark.parametrize("data", [b"", b"MZ", LINUX[:0x90], LINUX[:700], b"MZ" + bytes(200)])
def test_what_is_no_whole_program_is_refused(data: bytes) -> None:
    with pytest.raises(MismatchError, match="PE file"):
        pe.parse(data)


def test_a_register_is_replayed_as_the_hardware_extends_it() -> None:
    first = hashlib.sha384(bytes(48) + b"a" * 48).digest()
    assert prediction.replay([b"a" * 48, b"b" * 48]) == hashlib.sha384(first + b"b" * 48).digest()
