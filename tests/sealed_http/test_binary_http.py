"""Binary HTTP: heads and content there and back, hidden lengths, and messages that are none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealed_http import binary_http, varint
from sealed_http.binary_http import DATA_LIMIT, END, REQUEST, RESPONSE, Head, Reader, encode_content, encode_head
from sealed_http.errors import MalformedError, TruncatedError
from sealed_http.framing import CHUNK_LIMIT

GET = Head((("accept", "text/html"), ("cookie", "token=abc")), "GET", "chat.example.org", "/api/chats?page=1")
OK = Head((("content-type", "text/event-stream"),), status=200)


def read(kind: int, data: bytes, step: int = 1 << 20) -> tuple[Head | None, bytes]:
    reader = Reader(kind)
    pieces = [piece for start in range(0, len(data), step) for piece in reader.feed(data[start : start + step])]
    reader.end()
    return reader.head, b"".join(pieces)


@pytest.mark.parametrize(("kind", "head"), [(REQUEST, GET), (RESPONSE, OK), (RESPONSE, Head(status=404))])
@pytest.mark.parametrize("size", [0, 1, 252, 253, 4092, DATA_LIMIT, DATA_LIMIT + 1, 100_000])
def test_there_and_back(kind: int, head: Head, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    message = encode_head(head) + b"".join(encode_content(content)) + END
    assert read(kind, message) == (head, content)
    if size < 300:
        assert read(kind, message, 1) == (head, content)


@pytest.mark.slow
@given(st.integers(0, 3000), st.integers(0, 40_000))
def test_lengths_are_on_the_grid(longer: int, size: int) -> None:
    head = encode_head(Head((("cookie", "a" * longer),), "POST", "h", "/"))
    assert len(head) in GRID and len(head) - longer < 2 * 4096
    for chunk in encode_content(bytes(size)):
        assert len(chunk) in GRID


GRID = {*range(256, 4097, 256), *range(8192, 16385, 4096)}


def test_the_grid_hides_one_more_letter() -> None:
    short, long = (b"".join(encode_content(b"a" * size)) for size in (3, 200))
    assert len(short) == len(long) == 256
    assert binary_http.padded_size(4097) == 8192 and binary_http.padded_size(CHUNK_LIMIT) == CHUNK_LIMIT


def test_it_is_rfc_9292_s_form() -> None:
    """The control data and field lines by hand, as section 3.2 and 3.4 have them."""
    head = encode_head(Head((("a", "b"),), "GET", "x.org", "/"))
    assert head.startswith(b"\x02\x03GET\x05https\x05x.org\x01/\x01a\x01b\x07padding")
    assert head.endswith(b"0\x00")
    assert encode_head(Head(status=200)).startswith(b"\x03\x40\xc8\x07padding")


REFUSED = {
    "another kind": (b"\x00\x03GET", "begins with 0, not 2"),
    "http": (b"\x02\x03GET\x04http\x01h\x01/\x00\x00\x00", "scheme is https"),
    "a method with a space": (b"\x02\x04GE T\x05https\x01h\x01/\x00\x00\x00", "not a method"),
    "a path without /": (b"\x02\x03GET\x05https\x01h\x01x\x00\x00\x00", "path begins with /"),
    "a path with a line break": (b"\x02\x03GET\x05https\x01h\x03/\r\n\x00\x00\x00", "path begins with /"),
    "a host with a slash": (b"\x02\x03GET\x05https\x03h/x\x01/\x00\x00\x00", "authority is a host"),
    "an upper-case field": (b"\x02\x03GET\x05https\x01h\x01/\x01A\x01b\x00\x00\x00", "not a field"),
    "a field with a line break": (b"\x02\x03GET\x05https\x01h\x01/\x01a\x03b\r\n\x00\x00\x00", "control character"),
    "a field of a connection": (
        b"\x02\x03GET\x05https\x01h\x01/\x11transfer-encoding\x07chunked\x00\x00\x00",
        "not a field",
    ),
    "a head that never ends": (b"\x02\x03GET\x05https\x01h\x7f\xff", "at most 16384"),
    "fields without number": (b"\x02\x03GET\x05https\x01h\x01/" + 300 * b"\x01a\x01b", "at most 256 fields"),
    "a long chunk": (b"\x02\x03GET\x05https\x01h\x01/\x00\x80\x01\x00\x00", "at most 16384 bytes, not 65536"),
    "padding that is none": (b"\x02\x03GET\x05https\x01h\x01/\x00\x03\x01a!\x00\x00", "padding"),
    "a chunk longer than itself": (b"\x02\x03GET\x05https\x01h\x01/\x00\x02\x05a\x00\x00", "padding"),
    "something behind": (b"\x02\x03GET\x05https\x01h\x01/\x00\x00\x00more", "behind the end"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    data, sentence = REFUSED[case]
    with pytest.raises(MalformedError, match=sentence):
        read(REQUEST, data)


@pytest.mark.parametrize("status", [101, 103, 199, 600])
def test_no_informational_answers(status: int) -> None:
    with pytest.raises(MalformedError, match="from 200 to 599"):
        read(RESPONSE, b"\x03" + varint.encode(status) + b"\0\0\0")


def test_a_message_without_an_end() -> None:
    message = encode_head(GET) + next(encode_content(b"half of what was said"))
    with pytest.raises(TruncatedError, match="too early"):
        read(REQUEST, message)


def test_what_cannot_be_sent() -> None:
    for head in (Head((("x", "\n"),), "GET", "h", "/"), Head((("Host", "x"),), status=200), Head((), "get", "h", "/")):
        with pytest.raises(MalformedError):
            encode_head(head)
    with pytest.raises(MalformedError, match="does not fit"):
        encode_head(Head((("cookie", "a" * 16_380),), status=200))


@given(st.binary(max_size=600), st.sampled_from([REQUEST, RESPONSE]))
def test_any_bytes_give_one_of_our_errors(data: bytes, kind: int) -> None:
    with suppress(MalformedError, TruncatedError):
        read(kind, bytes([kind]) + data)


@pytest.mark.parametrize(
    ("value", "form"),
    [(0, "00"), (37, "25"), (15293, "7bbd"), (494878333, "9d7f3e7d"), (151288809941952652, "c2197c5eff14e88c")],
)
def test_variable_length_integers(value: int, form: str) -> None:
    """The examples of RFC 9000, appendix A.1."""
    assert varint.encode(value).hex() == form
    assert varint.decode(bytes.fromhex(form)) == (value, len(form) // 2)
    assert varint.decode(bytes.fromhex(form)[:-1]) is None
    for wrong in (-1, 1 << 62):
        with pytest.raises(ValueError, match="from 0 to"):
            varint.encode(wrong)
