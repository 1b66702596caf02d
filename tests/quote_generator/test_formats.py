"""Quotes and TD reports: exact layouts, strict parsing, bytes back unchanged, no error but FormatError."""

from __future__ import annotations

import dataclasses
import random
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quote_generator import formats
from quote_generator.formats import FormatError, TdAttributes, Xfam, parse_quote, parse_report
from quote_generator.formats.bodies import EnclaveReport, TdBody10, TdBody15
from quote_generator.formats.quote import QuoteHeader
from quote_generator.formats.record import Record
from quote_generator.formats.tdreport import ReportMac, TdInfo, TdReport, TeeTcbInfo
from tests.quote_generator.quotes import QUOTES, make_quote, make_report

RECORDS = [QuoteHeader, TdBody10, TdBody15, EnclaveReport, ReportMac, TeeTcbInfo, TdInfo, TdReport]
HEADER_AND_BODY = {"version 4, TD 1.0": 632, "version 5, TD 1.0": 638, "version 5, TD 1.5": 702}


@pytest.mark.parametrize(
    ("record", "size"),
    list(zip(RECORDS, [48, 584, 648, 384, 256, 239, 512, 1024], strict=True)),
    ids=lambda x: str(x)[:40],
)
def test_sizes_are_the_specifications(record: type[Record], size: int) -> None:
    assert record.size() == size


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        *(("tee_tcb_svn", 48), ("mr_seam", 64), ("td_attributes", 168), ("xfam", 176), ("mr_td", 184)),
        *(("rtmr_0", 376), ("rtmr_1", 424), ("rtmr_2", 472), ("rtmr_3", 520), ("report_data", 568)),
    ],
)
def test_fields_of_a_version_4_quote_lie_where_intel_says(name: str, offset: int) -> None:
    data = QUOTES["version 4, TD 1.0"]
    value = getattr(parse_quote(data).body, name)
    assert value == data[offset : offset + len(value)]


def test_version_5_puts_a_descriptor_of_6_bytes_before_the_body() -> None:
    data = QUOTES["version 5, TD 1.5"]
    body = parse_quote(data).body
    assert isinstance(body, TdBody15)
    assert body.report_data == data[574:638] and body.mr_service_td == data[654:702]


@pytest.mark.parametrize(("name", "offset"), [("mr_td", 528), ("rtmr_0", 720), ("rtmr_3", 864), ("servtd_hash", 912)])
def test_fields_of_a_report_lie_where_intel_says(name: str, offset: int) -> None:
    data = make_report()
    assert getattr(parse_report(data).td_info, name) == data[offset : offset + 48]


@pytest.mark.parametrize("name", QUOTES)
def test_a_quote_comes_back_byte_for_byte(name: str) -> None:
    quote = parse_quote(QUOTES[name])
    assert quote.pack() == QUOTES[name]
    assert quote.signed_part() == QUOTES[name][: HEADER_AND_BODY.get(name, 632)]


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("auth", [b"", b"a", bytes(32), bytes(65535)])
def test_every_kind_of_certification_data(kind: int, auth: bytes) -> None:
    data = make_quote(5, td15=True, kind=kind, auth=auth, data=b"")
    quote = parse_quote(data)
    assert quote.signature_data.qe.certification.type == kind
    assert quote.signature_data.qe.auth_data == auth
    assert quote.pack() == data


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


V4, V5 = QUOTES["version 4, TD 1.0"], QUOTES["version 5, TD 1.5"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the quote is truncated: the header needs 48 bytes at offset 0, there are 0"),
        (V4[:47], "the header needs 48 bytes"),
        (V4[:100], "the body needs 584 bytes"),
        (V4[:633], "the size of the signature data needs 4"),
        (V4[:-1], "the signature data needs"),
        (V4 + b"\1", "1 bytes that are not zero padding"),
        (V4 + bytes(1 << 20), "over the limit"),
        (patched(V4, 0, b"\3\0"), "quote version 3 is not a TDX version"),
        (patched(V4, 0, b"\6\0"), "quote version 6 is not a TDX version"),
        (patched(V4, 2, b"\3\0"), "attestation key type 3 is not known"),
        (patched(V4, 4, b"\0"), "the quote's TEE type is SGX"),
        (patched(V4, 4, b"\x82"), "the quote's TEE type is 0x82"),
        (patched(V5, 48, b"\1\0"), "an SGX enclave report"),
        (patched(V5, 48, b"\4\0"), "quote body type 4 is not known"),
        (patched(V5, 48, b"\2\0"), "a TD 1.0 quote body has 584 bytes, the quote says 648"),
        (patched(V5, 50, struct.pack("<I", 649)), "the quote says 649"),
        (patched(V4, 632, struct.pack("<I", 2**32 - 1)), "the signature data needs 4294967295 bytes"),
        (patched(V4, 636 + 128, b"\5\0"), "has certification data of type 6, not 5"),
        (patched(V4, 636 + 130, struct.pack("<I", 10)), "the signature data is"),
        (patched(V4, 636 + 130, struct.pack("<I", 100000)), "the certification data needs 100000"),
        (patched(V4, 636 + 134 + 448, b"\xff\xff"), "the QE authentication data needs 65535"),
        (patched(V4, 636 + 134 + 482, b"\6\0"), "certification data of type 6 is not known"),
        (patched(V4, 636 + 134 + 484, b"\0"), "the QE report certification data is"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(FormatError, match=re.escape(sentence)):
        parse_quote(data)


@pytest.mark.parametrize("name", QUOTES)
def test_no_truncation_is_accepted(name: str) -> None:
    padding = parse_quote(QUOTES[name]).padding
    for size in range(len(QUOTES[name]) - padding):
        with pytest.raises(FormatError):
            parse_quote(QUOTES[name][:size])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "a TDREPORT has 1024 bytes, not 0"),
        (make_report()[:-1], "not 1023"),
        (make_report() + b"\0", "not 1025"),
        (b"\0" + make_report()[1:], "has type 0x81, not 0x0"),
        (make_report(version=2), "version 2 is not known"),
    ],
)
def test_reports_are_parsed_strictly(data: bytes, sentence: str) -> None:
    with pytest.raises(FormatError, match=re.escape(sentence)):
        parse_report(data)


def test_a_report_comes_back_byte_for_byte() -> None:
    for seed in range(20):
        assert parse_report(make_report(seed=seed)).pack() == make_report(seed=seed)


def test_fields_have_intels_names_in_lower_case_hex() -> None:
    fields = parse_quote(V5).fields()
    measurements = {
        "mr_td",
        "mr_seam",
        "mr_signer_seam",
        "mr_config_id",
        "mr_owner",
        "mr_owner_config",
        "mr_service_td",
    }
    others = {"rtmr_0", "rtmr_1", "rtmr_2", "rtmr_3", "td_attributes", "xfam", "seam_attributes", "report_data"}
    assert measurements | others | {"tee_tcb_svn", "tee_tcb_svn2", "version"} <= set(fields)
    assert fields["mr_td"] == V5[190:238].hex()
    assert all(re.fullmatch("[0-9a-f]+", v) for v in fields.values() if isinstance(v, str))


def test_the_body_type_tells_version_5_apart() -> None:
    kinds = {name: parse_quote(quote).fields().get("body_type") for name, quote in QUOTES.items()}
    assert kinds == {
        "version 4, TD 1.0": None,
        "version 5, TD 1.0": 2,
        "version 5, TD 1.5": 3,
        "version 4 in a larger buffer": None,
    }
    assert len(parse_quote(V5).fields()) == len(parse_quote(V4).fields()) + 3


def test_a_value_of_another_size_cannot_be_packed() -> None:
    body = parse_quote(V4).body
    with pytest.raises(FormatError, match="mr_td has 48 bytes, not 47"):
        dataclasses.replace(body, mr_td=bytes(47)).pack()
    with pytest.raises(FormatError, match="version = 65536 does not fit"):
        dataclasses.replace(parse_quote(V4).header, version=65536).pack()


def test_attributes_by_name() -> None:
    attributes = TdAttributes.unpack(bytes.fromhex("0100001000000080"))
    assert attributes.debug and attributes.septve_disable and attributes.perfmon
    assert not attributes.protection_keys and not attributes.key_locker
    assert attributes.names() == ["debug", "septve_disable", "perfmon"]
    assert TdAttributes(1 << 30).protection_keys and TdAttributes(1 << 31).key_locker
    assert TdAttributes(1 << 5).names() == ["bit_5"]
    assert Xfam.unpack(bytes.fromhex("e702060000000000")).names()[-2:] == ["amx_tilecfg", "amx_tiledata"]
    with pytest.raises(FormatError):
        Xfam.unpack(bytes(7))


@given(st.binary(max_size=2000))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    assert_total(data)


@pytest.mark.slow
@given(st.sampled_from(sorted(QUOTES)), st.data())
@settings(max_examples=300)
def test_no_change_of_a_quote_raises_anything_else(name: str, data: st.DataObject) -> None:
    changed = bytearray(QUOTES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    assert_total(bytes(changed))


def assert_total(data: bytes) -> None:
    """Parsed and given back unchanged, or refused with our own error in one line."""
    for parse in (parse_quote, parse_report):
        try:
            parsed: formats.Quote | formats.TdReport = parse(data)
        except FormatError as error:
            assert "\n" not in str(error)
        else:
            assert parsed.pack() == data
            parsed.fields()


@pytest.mark.slow
def test_fuzz() -> None:
    """200,000 quotes with cuts, splices and changed lengths."""
    generator = random.Random(2026)
    seeds = list(QUOTES.values())
    accepted = 0
    for _ in range(200_000):
        data = bytearray(generator.choice(seeds))
        for _ in range(generator.randrange(1, 4)):
            spot = generator.choice([generator.randrange(len(data) + 1), *range(0, 54), *range(630, 660)]) % (
                len(data) or 1
            )
            match generator.randrange(5):
                case 0:
                    del data[spot : spot + generator.randrange(64)]
                case 1:
                    data[spot:spot] = generator.randbytes(generator.randrange(64))
                case 2:
                    data[spot : spot + 4] = struct.pack("<I", generator.choice([0, 1, 584, 648, 2**31, 2**32 - 1]))
                case 3 if data:
                    data[spot] ^= 1 << generator.randrange(8)
                case _:
                    data = data[:spot]
            data = data or bytearray(1)
        try:
            assert parse_quote(bytes(data)).pack() == data
            accepted += 1
        except FormatError:
            pass
    assert accepted > 1000  # the fuzzer reaches the parser's end, too
