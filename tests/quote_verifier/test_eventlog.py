"""The event log: replay, strictness, and what a reference mismatch says."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quote_verifier.errors import Malformed
from quote_verifier.eventlog import INIT_LINE, check_replay, parse_log, replay
from quote_verifier.quote import parse_quote
from quote_verifier.references import References
from quote_verifier.release import check_release

from simulator import profile
from simulator.quotes import make_quote

from .world import EVENTS, NONCE, RELEASE, Td, log_of
from .world import replay as reference_replay

HELD = References((frozenset(EVENTS),))
BOUND = {"release": RELEASE}


def log(*events: str) -> str:
    return "\n".join([INIT_LINE, *events]) + "\n"


def test_replay_of_known_events() -> None:
    events = parse_log(log(*EVENTS))
    assert replay(events) == reference_replay([INIT_LINE, *EVENTS])
    assert replay(()) == hashlib.sha384(bytes(48) + hashlib.sha384(INIT_LINE.encode()).digest()).digest()


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    quote = parse_quote(make_quote(b"x", rtmrs=(*profile.TD.rtmrs[:3], b"\x01" * 48)))
    check, events = check_replay(text, quote)
    assert check.status == "fail"
    assert events == ()


@pytest.mark.parametrize(
    "line", ["", "a b", "open-webui-tdx model ", "open-webui-tdx model []", 'open-webui-tdx model {"a": 1}']
)
def test_bad_lines(line: str) -> None:
    with pytest.raises(Malformed):
        parse_log(log(line))


def test_unicode_separators_are_not_line_breaks() -> None:
    """Only \\n ends a line: U+2028 and its kind stay inside one."""
    events = parse_log(log('open-webui-tdx model {"name":"a\u2028b\x85"}'))
    assert len(events) == 1


def test_release_mismatch_names_component_actual_and_expected() -> None:
    changed = EVENTS[1].replace("3.11.7", "3.11.8")
    events = parse_log(log(EVENTS[0], changed, *EVENTS[2:]))
    check = check_release(events, HELD, BOUND)
    assert check.status == "fail"
    assert check.detail == 'python differs: version is "3.11.8", expected "3.11.7"'


def test_release_mismatch_without_a_counterpart() -> None:
    events = parse_log(log(*EVENTS, 'open-webui-tdx tool {"id":"x"}'))
    assert check_release(events, HELD, BOUND).detail == 'tool is {"id":"x"}, expected no such event'


def test_release_mismatch_compares_with_the_closest() -> None:
    near, far = 'open-webui-tdx model {"digest":"a","name":"n"}', 'open-webui-tdx model {"digest":"b","name":"m","x":1}'
    events = parse_log(log('open-webui-tdx model {"digest":"c","name":"n"}'))
    detail = check_release(events, References((frozenset((near, far, "nonsense")),)), {}).detail
    assert detail == 'model differs: digest is "c", expected "a"'


def test_release_passes() -> None:
    launched = parse_log("\n".join(log_of(EVENTS)))
    assert check_release(launched, HELD, BOUND).status == "pass"
    assert check_release(launched, HELD, {}).status == "pass"


def test_unmeasured() -> None:
    quote = parse_quote(make_quote(b"x"))
    check, events = check_replay(None, quote)
    assert (check.status, events) == ("warn", ())
    assert check_release(events, HELD, {}).status == "fail"
    assert check_release(events, References(), {}).status == "warn"


def test_a_measured_td() -> None:
    evidence = Td().evidence(NONCE)
    check, events = check_replay(evidence["event_log"], parse_quote(bytes.fromhex(evidence["quote"])))
    assert check.status == "pass"
    assert [event.operation for event in events] == [
        "release",
        "python",
        "settings",
        "model",
        "gocryptfs",
        "site",
        "launch",
    ]
