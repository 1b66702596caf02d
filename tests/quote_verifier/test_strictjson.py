"""Strict JSON: one meaning, bounded size and depth, one error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quote_verifier.errors import Malformed
from quote_verifier.strictjson import MAX_DEPTH, load_object, loads

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.slow
@given(values)
def test_reads_what_json_writes(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":1,"a":1}', "twice"),
        (b'{"x":{"a":1,"a":2}}', "twice"),
        (b"[1e999]", "cannot be represented"),
        (b"[NaN]", "not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b"[9007199254740992]", r"beyond 2\^53"),
        (b"[" + b"9" * 100_000 + b"]", r"beyond 2\^53"),
        (b"[" * 33 + b"]" * 33, "deeper"),
        (b"[" * 1_000_000, "not JSON|deeper"),
        (b'{"a":' * 100_000, "not JSON|deeper"),
        (b'"\\ud800"', "UTF-8"),
        (b'"\xff"', "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"", "not JSON"),
        (b"'a'", "not JSON"),
    ],
)
def test_refuses(text: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        loads(text)


def test_depth_limit_is_exact() -> None:
    assert loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(Malformed):
        loads("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_size_limit() -> None:
    with pytest.raises(Malformed, match="larger than 10 bytes"):
        loads(b'"' + b"x" * 20 + b'"', max_bytes=10)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_malformed(data: bytes) -> None:
    try:
        loads(data)
    except Malformed as error:
        assert "\n" not in str(error).split(":")[0]


def test_an_object_is_asked_for() -> None:
    with pytest.raises(Malformed, match="the thing is malformed: not a JSON object"):
        load_object("[]", "the thing")
