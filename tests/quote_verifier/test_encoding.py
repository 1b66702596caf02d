"""One spelling only: equal bytes are equal strings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quote_verifier.encoding import from_base64url, from_hex, to_base64url
from quote_verifier.errors import Malformed


@given(st.binary(max_size=100))
def test_round_trip(raw: bytes) -> None:
    assert from_hex(raw.hex(), "x") == raw
    assert from_base64url(to_base64url(raw), "x") == raw


@pytest.mark.parametrize("text", ["0", "0G", "AB", "0x00", " 00", "00\n", "\u0660\u0660"])
def test_hex(text: str) -> None:
    with pytest.raises(Malformed):
        from_hex(text, "x")


@pytest.mark.parametrize("text", ["A", "AA==", "AB", "A A", "A+", "A/", "\u0660A", "AA\n"])
def test_base64url(text: str) -> None:
    with pytest.raises(Malformed):
        from_base64url(text, "x")


def test_a_prefix_is_named() -> None:
    with pytest.raises(Malformed, match="x begins with 0x, expected"):
        from_hex("0x00", "x")


def test_sizes() -> None:
    with pytest.raises(Malformed, match="2 bytes, expected 3"):
        from_hex("0000", "x", 3)
    with pytest.raises(Malformed, match="1 bytes, expected 2"):
        from_base64url("AA", "x", 2)
