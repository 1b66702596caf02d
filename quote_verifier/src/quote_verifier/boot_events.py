"""What differs in a register that the boot measured: the events that were expected, beside those that a log tells of.

The log is the host's word: it is believed for a register only if it replays to what the quote holds, and it decides
nothing then, it only explains. An event's digest is proven by that; its type, and so its name, is not.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .boot_log import MAX_BYTES, BootEvent, parse_ccel, replay
from .encoding import from_base64url
from .errors import Malformed
from .facts import load

REGISTERS = ("rtmr_0", "rtmr_1", "rtmr_2")
MOST_NAMES = 8
_KNOWN = load("boot_events")


@dataclass(frozen=True)
class ExpectedEvent:
    """One event of a platform's reference values: the SHA-384 that extends the register, and what it is, in words."""

    digest: bytes
    what: str


def name_of(event: BootEvent) -> str:
    """What the log says that an event is, in words: never a text of the log's but the plain name of a variable."""
    kind = f"{event.kind:#x}"
    if kind in _KNOWN["variables"]:
        name = _variable(event.data)
        return f"the variable {name}" if name else "a variable"
    start = event.data[:96].decode("latin-1")
    words = [told["words"] for told in _KNOWN["told"] if kind in told["kinds"] and told["holds"] in start]
    return str((*words, _KNOWN["kinds"].get(kind, f"an event of type {kind}"))[0])


def _variable(data: bytes) -> str:
    """The name in a UEFI_VARIABLE_DATA (TCG PC Client Platform Firmware Profile 1.06, 10.2.6), where it is plain."""
    size = int.from_bytes(data[16:24], "little")
    name = data[32 : 32 + 2 * size].decode("utf-16-le", "replace") if 1 <= size <= 32 else ""
    return name if len(name) == size and name.isascii() and name.isalnum() else ""


def read(text: Any) -> tuple[BootEvent, ...]:
    """The events of the evidence's member `boot_log`, base64url. Raises `Malformed`."""
    if not isinstance(text, str):
        raise Malformed("it is not text")
    if len(text) > -(-MAX_BYTES * 4 // 3):
        raise Malformed(f"it has {len(text) * 3 // 4} bytes, more than {MAX_BYTES}")
    try:
        raw = from_base64url(text, "it")
    except Malformed:
        raise Malformed("not base64url without padding") from None
    return parse_ccel(raw)


class Explaining:
    """Says by which events a register differs, as far as `boot_log` (of the evidence; None: there is none) tells it."""

    def __init__(self, boot_log: Any) -> None:
        self._events: tuple[BootEvent, ...] | None = None
        self._unreadable = ""
        try:
            self._events = None if boot_log is None else read(boot_log)
        except Malformed as error:
            self._unreadable = str(error)

    def of(self, field: str, actual: str, expected: str, events: dict[str, tuple[ExpectedEvent, ...]]) -> str:
        """One clause for a platform's `field` that differs; `events`: what is expected of its registers."""
        plain = f"{field} is {actual}, expected {expected}"
        if field not in events:
            return plain
        if self._unreadable:
            return f"{plain} (the boot log is not believed: {self._unreadable})"
        if self._events is None:
            return plain
        register = REGISTERS.index(field)
        if replay(self._events)[register].hex() != actual:
            return f"{plain} (the boot log is not believed: it does not replay to that)"
        logged = [(event.digest, name_of(event)) for event in self._events if event.register == register]
        return difference(field, [(event.digest, event.what) for event in events[field]], logged)


def difference(field: str, expected: Sequence[tuple[bytes, str]], logged: Sequence[tuple[bytes, str]]) -> str:
    """One clause: what is missing of the expected events, and what is there instead, by name."""
    lacks, has = _without(expected, logged), _without(logged, expected)
    if not lacks and not has:
        return f"{field} differs in the order of its events alone"
    if set(lacks) == set(has):
        return f"{field} differs in {_listed(has)}"
    if not has:
        return f"{field} lacks {_listed(lacks)}"
    if not lacks:
        return f"{field} has {_listed(has)} in addition"
    return f"{field} lacks {_listed(lacks)} and has {_listed(has)} instead"


def _without(events: Iterable[tuple[bytes, str]], others: Iterable[tuple[bytes, str]]) -> list[str]:
    """The names of those that are not among the others, as often as they are there; each name once, in order."""
    left = Counter(digest for digest, _ in others)
    names: dict[str, None] = {}
    for digest, name in events:
        if left[digest]:
            left[digest] -= 1
        else:
            names[name] = None
    return list(names)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"
