"""The event log of a measured launch: AAEL text whose lines were extended into RTMR 3.

Establishes that the log is exactly what was extended, not that it is good: `release.py` compares it with references.
RTMR3 := SHA-384(RTMR3 || SHA-384(line)), from 48 zero bytes, INIT line included, line breaks not.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import rfc8785

from .errors import Malformed
from .facts import load
from .quote import Quote
from .site import NEWER
from .strictjson import load_object
from .verdict import Check

DOMAIN = "open-webui-tdx"
INIT_LINE = "INIT sha384/" + "0" * 96
MAX_LOG_BYTES = 1024 * 1024
LAUNCH, SITE = "launch", "site"
_EVENTS = load("events")
# what a launch must have measured before it can match references
REQUIRED = tuple(name for name, event in _EVENTS.items() if event.get("required"))
# these can be known and allowed, but what they let in is not measured: at best a warning
WARNINGS: dict[str, str] = {name: event["doubt"] for name, event in _EVENTS.items() if "doubt" in event}
KNOWN = set(_EVENTS)
# programs without which nothing that is kept can be encrypted
ENCRYPTING = {name for name, event in _EVENTS.items() if event.get("encrypts")}
# compared line by line with references; the others are judged by rule
EXACT = {name for name, event in _EVENTS.items() if not event.get("rule")}


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
    if domain != DOMAIN or not operation:
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
    events = tuple(_event(line, number) for number, line in enumerate(lines[1:], start=2))
    launches(events)
    return events


def launches(events: tuple[Event, ...]) -> list[tuple[Event, ...]]:
    """What each launch of the log put in force, the last one last. Raises `Malformed`."""
    return [_in_force(events, place) for place, event in enumerate(events) if event.operation == LAUNCH]


def _in_force(events: tuple[Event, ...], place: int) -> tuple[Event, ...]:
    """The events that the `launch` at `events[place]` names: `lines` (places in the log, INIT being 1), and `plan`, the
    SHA-384 of these lines, each ended by a line feed."""
    content, where = events[place].content, f"the launch on line {place + 2} of the event log"
    lines, plan = content.get("lines"), content.get("plan")
    whole = isinstance(lines, list) and all(type(line) is int and 2 <= line < place + 2 for line in lines)
    if not whole or set(content) != {"lines", "plan"} or len(set(lines or ())) != len(lines or ()):
        raise Malformed(f"{where} does not name lines before it, each once, and their digest")
    named = tuple(events[line - 2] for line in lines or ())
    digest = hashlib.sha384("".join(f"{event.line}\n" for event in named).encode("utf-8")).hexdigest()
    if digest != plan or any(event.operation == LAUNCH for event in named):
        raise Malformed(f"{where} does not have the digest of the lines that it names")
    return named


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
    newer = sorted({event.operation for event in events} - KNOWN)
    if newer:
        sentence = f"The log replays, but {NEWER.format(', '.join(newer)[:40])}"
        return Check("eventlog.replay", "warn", sentence), events
    return Check("eventlog.replay", "pass", f"{len(events)} events replay to the quote's RTMR 3"), events
