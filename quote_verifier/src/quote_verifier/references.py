"""Reference values: what a build and a trusted machine say a launch and a platform should measure. Never the server's.

Shape (docs/design.md): `{"v": 2, "name", "events": [AAEL line, ...], "rtmr_3": hex, "platforms": [{...}, ...]}`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .boot_events import REGISTERS, ExpectedEvent
from .boot_log import extended
from .encoding import from_hex
from .errors import Malformed, UsageError, shown
from .policy import NO_SERVICE_TD, PLATFORM_SIZES, SERVICE_TD_SIZE
from .strictjson import is_version, load_object

_MEMBERS = {**PLATFORM_SIZES, "mr_service_td": SERVICE_TD_SIZE}  # the last may be left out: no service TD


ROOTS = ("verity", "unmeasured")


# What a document may say of the release that it is for: texts for people, which decide nothing.
ABOUT = ("version", "commit", "upstream")


@dataclass(frozen=True)
class Platform:
    """One known platform: register and module values (hex) by their names in the quote.

    `verity`: its measurements cover every program, so that nobody who administers the machine can change one.
    `newer`: members that this verifier does not know. `events`: what extends a register, where that is told.
    """

    values: dict[str, str]
    verity: bool = False
    newer: tuple[str, ...] = ()
    events: dict[str, tuple[ExpectedEvent, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class References:
    """Known event lines, a set for each document held, and the platforms of all of them. Empty: none held."""

    documents: tuple[frozenset[str], ...] = ()
    platforms: tuple[Platform, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def explain(self) -> bool:
        """Whether a boot event log could say what differs."""
        return any(platform.events for platform in self.platforms)

    @property
    def events(self) -> frozenset[str]:
        """The lines of all documents together."""
        return frozenset().union(*self.documents)


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise UsageError(f"the reference values are unusable: {sentence}")


def _hexadecimal(value: Any, what: str, size: int) -> None:
    _require(isinstance(value, str) and value != "", f"{what} is empty or not a string")
    try:
        from_hex(value, what, size)
    except Malformed as error:
        _require(False, str(error))


_EVENTS = "a platform's boot_events are not lists of events (type, sha384, what) under rtmr_0, rtmr_1 or rtmr_2"
MOST_EVENTS, MOST_WORDS = 512, 80


def _boot_event(value: Any) -> ExpectedEvent:
    _require(isinstance(value, dict) and set(value) == {"type", "sha384", "what"}, _EVENTS)
    kind, digest, what = value["type"], value["sha384"], value["what"]
    _require(isinstance(kind, str) and re.fullmatch("0x[0-9a-f]{1,8}", kind) is not None, _EVENTS)
    _require(isinstance(what, str) and 0 < len(what) <= MOST_WORDS and what.isprintable() and what.isascii(), _EVENTS)
    _require(isinstance(digest, str) and re.fullmatch("[0-9a-f]{96}", digest) is not None, _EVENTS)
    return ExpectedEvent(bytes.fromhex(digest), what)


def _boot_events(value: Any, registers: dict[str, str]) -> dict[str, tuple[ExpectedEvent, ...]]:
    _require(isinstance(value, dict) and not set(value) - set(REGISTERS), _EVENTS)
    found = {}
    for name, events in value.items():
        _require(isinstance(events, list) and 0 < len(events) <= MOST_EVENTS, _EVENTS)
        found[name] = tuple(_boot_event(event) for event in events)
        told = extended(event.digest for event in found[name]).hex()
        _require(told == registers[name], f"a platform's boot_events do not replay to its {name}")
    return found


def _platform(value: Any) -> Platform:
    _require(isinstance(value, dict), "an entry of platforms is not an object")
    missing = sorted(set(PLATFORM_SIZES) - set(value))
    _require(not missing, f"a platform lacks {', '.join(missing)}")
    root = value.get("root", "unmeasured")
    _require(root in ROOTS, f"a platform's root is {str(root)[:64]!r}, expected {' or '.join(ROOTS)}")
    newer = sorted(set(value) - set(_MEMBERS) - {"root", "boot_events"})
    known = {name: value[name] for name in _MEMBERS if name in value}
    for name, expected in known.items():
        _hexadecimal(expected, f"a platform's {name}", _MEMBERS[name])
    zeros = value.get("mr_service_td") == NO_SERVICE_TD
    _require(not zeros, "a platform's mr_service_td is zeros; leave it out where there is no service TD")
    return Platform(known, root == "verity", tuple(newer), _boot_events(value.get("boot_events", {}), known))


def references_from(document: dict[str, Any]) -> References:
    """One document's reference values. Raises `UsageError`: unknown or missing members, empty or badly sized values."""
    newest = "make them anew with the release that they are for"
    _require(is_version(document.get("v"), 2), f"v is {shown(document.get('v'))}, this version reads 2; {newest}")
    unknown = sorted(set(document) - {"v", "name", "release", "events", "rtmr_3", "platforms"})
    _require(not unknown, f"unknown member {', '.join(unknown)[:64]!r}")
    rtmr_3 = document.get("rtmr_3")
    if rtmr_3 is not None:
        _hexadecimal(rtmr_3, "rtmr_3", 48)
    about = document.get("release", {})
    told = isinstance(about, dict) and all(key in ABOUT and isinstance(text, str) for key, text in about.items())
    _require(told, f"release holds something else than {', '.join(ABOUT)}, each a text")
    events, platforms, name = document.get("events"), document.get("platforms", []), document.get("name", "")
    _require(isinstance(events, list), "events is missing or not a list")
    _require(isinstance(platforms, list) and isinstance(name, str), "platforms or name has the wrong type")
    for event in events or ():
        _require(isinstance(event, str) and event != "" and "\n" not in event, "an event is empty or not one line")
    documents = (frozenset(events),) if events else ()
    return References(documents, tuple(_platform(item) for item in platforms), (name,))


def merge(documents: Iterable[References]) -> References:
    """All documents held, taken together."""
    held = list(documents)
    return References(
        tuple(document for item in held for document in item.documents),
        tuple(platform for item in held for platform in item.platforms),
        tuple(name for item in held for name in item.names),
    )


def load_references(data: bytes) -> References:
    """Reference values from the bytes of a file. Raises `UsageError`."""
    try:
        return references_from(load_object(data, "the reference-value file"))
    except Malformed as error:
        raise UsageError(str(error)) from None
