"""The application event log as text (AAEL): its lines, and the register value that they lead to.

Line 1 is `INIT sha384/<96 hex digits>`, then one `<domain> <operation> <content>` a line, each ended by a line feed.
Each line extends RTMR 3 with the SHA-384 of its UTF-8 bytes, the line feed excluded:
RTMR 3 := SHA-384(RTMR 3 || SHA-384(line)), starting from 48 zero bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rfc8785

REGISTER_SIZE = 48
ZERO = bytes(REGISTER_SIZE)
INIT_LINE = f"INIT sha384/{ZERO.hex()}"
LINE_LIMIT = 1 << 20  # bytes
DOMAIN = "open-webui-tdx"
LAUNCH = "launch"


class EventLogError(Exception):
    """The log is malformed, cannot be written, or disagrees with the register; the message says which."""


def format_line(operation: str, content: Mapping[str, Any] | str, domain: str = DOMAIN) -> str:
    """The line of an event. A mapping becomes canonical JSON (RFC 8785); text is taken as it is, in one line."""
    for name, value in (("domain", domain), ("operation", operation)):
        if not value or any(c.isspace() or not c.isprintable() for c in value):
            raise EventLogError(f"an event's {name} is one printable word, not {value!r}")
    if domain == "INIT":
        raise EventLogError("an event's domain cannot be INIT")
    text = content if isinstance(content, str) else _canonical(content)
    return _checked(f"{domain} {operation} {text}")


def digest(line: str) -> bytes:
    """What a line extends the register with: 48 bytes."""
    return hashlib.sha384(line.encode()).digest()


def extended(register: bytes, value: bytes) -> bytes:
    """The register's value after an extend, as the hardware computes it."""
    return hashlib.sha384(register + value).digest()


def launch_content(lines: Sequence[str], plan: Sequence[str]) -> dict[str, Any]:
    """The content of the event `launch` that puts the lines of `plan`, each a line of the log `lines`, in force.

    `lines`: their places in the log, from 1 (the INIT line), in the plan's order; `plan`: the SHA-384 (hex) of these
    lines, each ended by a line feed. A log of several launches in one boot says by it which events are in force.
    """
    places = [lines.index(line) + 1 for line in plan]
    return {"lines": places, "plan": hashlib.sha384(to_text(plan).encode()).hexdigest()}


def in_force(lines: Sequence[str]) -> list[str]:
    """The lines that the last `launch` of a log put in force; none before the first."""
    prefix = f"{DOMAIN} {LAUNCH} "
    last = next((line for line in reversed(lines) if line.startswith(prefix)), None)
    return [] if last is None else [lines[place - 1] for place in json.loads(last.removeprefix(prefix))["lines"]]


def replay_lines(lines: Iterable[str]) -> bytes:
    """The value of RTMR 3 after these lines; 48 zero bytes for none."""
    register = ZERO
    for line in lines:
        register = extended(register, digest(line))
    return register


def parse(text: str) -> list[str]:
    """The lines of a log, strictly; raises EventLogError. An empty text is an empty log."""
    if not text:
        return []
    if not text.endswith("\n"):
        raise EventLogError("the event log's last line is not complete")
    lines = text[:-1].split("\n")
    if lines[0] != INIT_LINE:
        raise EventLogError(f"the event log starts with {lines[0][:80]!r}, not with INIT and a register of zeros")
    for number, line in enumerate(lines[1:], start=2):
        if line.startswith("INIT ") or line.count(" ") < 2 or not all(line.split(" ", 2)[:2]):
            raise EventLogError(f"line {number} of the event log is no event: {line[:80]!r}")
        _checked(line)
    return lines


def replay(text: str) -> bytes:
    """The value of RTMR 3 (48 bytes) that a log's text leads to; raises EventLogError for a malformed log."""
    return replay_lines(parse(text))


def to_text(lines: Iterable[str]) -> str:
    """The log as text: every line with its line break."""
    return "".join(f"{line}\n" for line in lines)


def _canonical(content: Mapping[str, Any]) -> str:
    try:
        return rfc8785.dumps(dict(content)).decode()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise EventLogError(f"an event's content has no canonical JSON: {error}") from None


def _checked(line: str) -> str:
    if "\n" in line or "\r" in line or "\0" in line:
        raise EventLogError(f"an event holds a line break or a zero byte: {line[:80]!r}")
    try:
        size = len(line.encode())
    except UnicodeEncodeError:
        raise EventLogError(f"an event is not valid Unicode: {line[:80]!r}") from None
    if size > LINE_LIMIT:
        raise EventLogError(f"an event of {size} bytes is over the limit of {LINE_LIMIT}")
    return line
