"""The text of the event log and its replay."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quote_generator import aael
from quote_generator.aael import INIT_LINE, EventLogError, format_line, parse, replay, to_text


def test_replay_is_the_hardware_formula() -> None:
    lines = [INIT_LINE, 'open-webui-tdx release {"sha384":"00"}']
    register = bytes(48)
    for line in lines:
        register = hashlib.sha384(register + hashlib.sha384(line.encode()).digest()).digest()
    assert replay("\n".join(lines) + "\n") == register


def test_an_empty_log_replays_to_zeros() -> None:
    assert replay("") == bytes(48)


def test_content_is_canonical_json() -> None:
    line = format_line("python", {"version": "3.11.7", "environment": {"b": 1, "a": "ü"}})
    assert line == 'open-webui-tdx python {"environment":{"a":"ü","b":1},"version":"3.11.7"}'


@pytest.mark.parametrize(
    ("operation", "content", "domain"),
    [
        ("two words", "x", "d"),
        ("", "x", "d"),
        ("o", "x", ""),
        ("o", "a\nb", "d"),
        ("o", "a\rb", "d"),
        ("o", "a\0b", "d"),
        ("o", "x", "INIT"),
        ("o", "\ud800", "d"),
        ("o", {"k": float("nan")}, "d"),
        ("o", {"k": "\ud800"}, "d"),
        ("o", {"k": 2**60}, "d"),
        ("o", {"k": object()}, "d"),
    ],
)
def test_what_cannot_be_a_line_is_refused(operation: str, content: object, domain: str) -> None:
    with pytest.raises(EventLogError):
        format_line(operation, content, domain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "\n",
        INIT_LINE,
        INIT_LINE.replace("0", "1") + "\n",
        f"{INIT_LINE}\n{INIT_LINE}\n",
        f"{INIT_LINE}\n\n",
        f"{INIT_LINE}\nd o\n",
        f"{INIT_LINE}\n o c\n",
        f"{INIT_LINE}\nd o c",
        f"{INIT_LINE}\r\n",
        "d o c\n",
    ],
)
def test_malformed_logs_are_refused(text: str) -> None:
    with pytest.raises(EventLogError):
        parse(text)


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8).filter(lambda w: w != "INIT")
contents = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@pytest.mark.slow
@given(st.lists(st.tuples(words, words, contents), max_size=5))
def test_lines_survive_the_text(events: list[tuple[str, str, str]]) -> None:
    lines = [INIT_LINE, *(format_line(operation, content, domain) for domain, operation, content in events)]
    assert parse(to_text(lines)) == lines
    assert replay(to_text(lines)) == aael.replay_lines(lines)


@given(st.text(max_size=200))
def test_no_text_raises_anything_else(text: str) -> None:
    for candidate in (text, f"{INIT_LINE}\n{text}"):
        with contextlib.suppress(EventLogError):
            assert to_text(parse(candidate)) == candidate
