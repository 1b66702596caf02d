"""The event log of a measured launch: AAEL text whose lines were extended into RTMR 3.

Establishes that the log is exactly what was extended, not that it is good: `check_release` compares it with references.
RTMR3 := SHA-384(RTMR3 || SHA-384(line)), from 48 zero bytes, INIT line included, line breaks not.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import rfc8785

from .errors import Malformed
from .facts import load
from .quote import Quote
from .references import References
from .strictjson import load_object
from .verdict import Check

DOMAIN = "open-webui-tdx"
INIT_LINE = "INIT sha384/" + "0" * 96
MAX_LOG_BYTES = 1024 * 1024
SHOWN = 200  # characters of one value in a detail
_EVENTS = load("events")
# what a launch must have measured before it can match references
REQUIRED = tuple(name for name, event in _EVENTS.items() if event.get("required"))
# these can be known and allowed, but what they let in is not measured: at best a warning
WARNINGS: dict[str, str] = {name: event["doubt"] for name, event in _EVENTS.items() if "doubt" in event}
KNOWN = set(_EVENTS)


@dataclass(frozen=True)
class Event:
    """One line after INIT: `line` exactly as extended, `content` the parsed JCS object."""

    line: str
    operation: str
    content: dict[str, Any]


def _event(line: str, number: int) -> Event:
    parts = line.split(" ", 2)
    if len(parts) != 3:
        raise Malformed(f"line {number} of the event log is not '<domain> <operation> <content>'")
    domain, operation, text = parts
    if domain != DOMAIN or operation not in KNOWN:
        raise Malformed(f"line {number} of the event log is the unknown event {domain[:40]!r} {operation[:40]!r}")
    content = load_object(text, f"the content of line {number} of the event log")
    try:
        canonical = rfc8785.dumps(content)
    except (rfc8785.CanonicalizationError, UnicodeError):
        canonical = b""
    if canonical != text.encode("utf-8"):
        raise Malformed(f"the content of line {number} of the event log is not canonical JSON (RFC 8785)")
    return Event(line, operation, content)


def parse_log(text: str) -> tuple[Event, ...]:
    """The events of a log. Raises `Malformed`: no zero INIT line, unknown event, content that is no JCS object."""
    if len(text.encode("utf-8")) > MAX_LOG_BYTES or "\r" in text or "\0" in text:
        raise Malformed(f"the event log is larger than {MAX_LOG_BYTES} bytes or holds control characters")
    lines = text.removesuffix("\n").split("\n")
    if lines[0] != INIT_LINE:
        raise Malformed("the event log does not start with the INIT line of an untouched register")
    return tuple(_event(line, number) for number, line in enumerate(lines[1:], start=2))


def replay(events: tuple[Event, ...]) -> bytes:
    """RTMR 3 (48 bytes) after the INIT line and `events`."""
    register = bytes(48)
    for line in (INIT_LINE, *(event.line for event in events)):
        register = hashlib.sha384(register + hashlib.sha384(line.encode("utf-8")).digest()).digest()
    return register


def check_replay(log: Any, quote: Quote) -> tuple[Check, tuple[Event, ...]]:
    """`eventlog.replay`, and the events it vouches for (none unless it passes)."""

    def answer(status: str, detail: str) -> tuple[Check, tuple[Event, ...]]:
        return Check("eventlog.replay", "warn" if status == "warn" else "fail", detail), ()

    if log is None or log == "":
        if any(quote.body["rtmr_3"]):
            return answer("fail", f"There is no event log, but rtmr_3 is {quote.hex('rtmr_3')}: something was measured")
        return answer("warn", "The launch was not measured: RTMR 3 is zero, so nothing is known about the software")
    if not isinstance(log, str):
        return answer("fail", "The event log is not a text")
    try:
        events = parse_log(log)
        register = replay(events)
    except (Malformed, UnicodeError) as error:
        return answer("fail", f"{error}")
    if register != quote.body["rtmr_3"]:
        return answer("fail", f"rtmr_3 is {quote.hex('rtmr_3')}, the event log replays to {register.hex()}")
    return Check("eventlog.replay", "pass", f"{len(events)} events replay to the quote's RTMR 3"), events


def check_release(events: tuple[Event, ...], references: References, bound_release: str | None) -> Check:
    """`release.match`: every measured event is known; the launch's main parts were measured at all."""
    if not references.events:
        measured = next((event.content.get("sha384") for event in events if event.operation == "release"), "nothing")
        return Check("release.match", "warn", f"No reference values for the release are held; it measured {measured}")
    for event in events:
        if event.line not in references.events:
            return Check("release.match", "fail", _unknown(event, references))
    operations = {event.operation for event in events}
    missing = [name for name in REQUIRED if name not in operations]
    if missing:
        return Check("release.match", "fail", f"the launch did not measure: {', '.join(missing)}")
    releases = [event.content.get("sha384") for event in events if event.operation == "release"]
    if bound_release is not None and bound_release not in releases:
        return Check(
            "release.match", "fail", f"the attester's release is {bound_release}, the launch measured {releases[0]}"
        )
    doubts = [sentence for name, sentence in WARNINGS.items() if name in operations]
    if doubts:
        return Check("release.match", "warn", f"All {len(events)} events are known, but {'; '.join(doubts)}")
    return Check("release.match", "pass", f"All {len(events)} measured events equal the reference values")


def _unknown(event: Event, references: References) -> str:
    """Which component differs, and in what: the members that differ from the closest reference of the same kind."""
    prefix = f"{DOMAIN} {event.operation} "
    held = [_content(line.removeprefix(prefix)) for line in references.events if line.startswith(prefix)]
    differences = [_differences(event.content, expected) for expected in held]
    closest = min((found for found in differences if found), key=lambda found: (len(found), found), default=[])
    if not closest:
        return f"{event.operation} is {event.line.removeprefix(prefix)[:SHOWN]}, expected no such event"
    return f"{event.operation} differs: {'; '.join(closest[:8])}"


def _content(text: str) -> dict[str, Any]:
    try:
        return load_object(text, "a reference value")
    except Malformed:
        return {}


def _differences(actual: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    def show(members: dict[str, Any], key: str) -> str:
        return json.dumps(members[key], ensure_ascii=False)[:SHOWN] if key in members else "nothing"

    keys = sorted(key for key in {*actual, *expected} if show(actual, key) != show(expected, key))
    return [f"{key[:64]} is {show(actual, key)}, expected {show(expected, key)}" for key in keys]
