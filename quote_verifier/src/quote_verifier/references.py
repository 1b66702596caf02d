"""Reference values: what a build and a trusted machine say a launch and a platform should measure. Never the server's.

Shape (docs/design.md): `{"v": 2, "name", "events": [AAEL line, ...], "rtmr_3": hex, "platforms": [{...}, ...]}`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
    `newer`: members that this verifier does not know.
    """

    values: dict[str, str]
    verity: bool = False
    newer: tuple[str, ...] = ()


@dataclass(frozen=True)
class References:
    """Known event lines, a set for each document held, and the platforms of all of them. Empty: none held."""

    documents: tuple[frozenset[str], ...] = ()
    platforms: tuple[Platform, ...] = ()
    names: tuple[str, ...] = ()

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


def _platform(value: Any) -> Platform:
    _require(isinstance(value, dict), "an entry of platforms is not an object")
    missing = sorted(set(PLATFORM_SIZES) - set(value))
    _require(not missing, f"a platform lacks {', '.join(missing)}")
    root = value.get("root", "unmeasured")
    _require(root in ROOTS, f"a platform's root is {str(root)[:64]!r}, expected {' or '.join(ROOTS)}")
    newer = sorted(set(value) - set(_MEMBERS) - {"root"})
    known = {name: value[name] for name in _MEMBERS if name in value}
    for field, expected in known.items():
        _hexadecimal(expected, f"a platform's {field}", _MEMBERS[field])
    zeros = value.get("mr_service_td") == NO_SERVICE_TD
    _require(not zeros, "a platform's mr_service_td is zeros; leave it out where there is no service TD")
    return Platform(known, root == "verity", tuple(newer))


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
