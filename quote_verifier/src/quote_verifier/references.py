"""Reference values: what a build and a trusted machine say a launch and a platform should measure. Never the server's.

Shape (docs/design.md): `{"v": 1, "name", "events": [AAEL line, ...], "rtmr_3": hex, "platforms": [{...}, ...]}`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .encoding import from_hex
from .errors import Malformed, UsageError, shown
from .policy import NO_SERVICE_TD, PLATFORM_SIZES, SERVICE_TD_SIZE
from .strictjson import is_version, load_object

_MEMBERS = {**PLATFORM_SIZES, "mr_service_td": SERVICE_TD_SIZE}  # the last may be left out: no service TD


@dataclass(frozen=True)
class References:
    """Known event lines and known platforms, of all documents held together. Empty: none held."""

    events: frozenset[str] = frozenset()
    platforms: tuple[dict[str, str], ...] = ()
    names: tuple[str, ...] = ()


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise UsageError(f"the reference values are unusable: {sentence}")


def _hexadecimal(value: Any, what: str, size: int) -> None:
    _require(isinstance(value, str) and value != "", f"{what} is empty or not a string")
    try:
        from_hex(value, what, size)
    except Malformed as error:
        _require(False, str(error))


def _platform(value: Any) -> dict[str, str]:
    _require(isinstance(value, dict), "an entry of platforms is not an object")
    missing = sorted(set(PLATFORM_SIZES) - set(value))
    _require(not missing, f"a platform lacks {', '.join(missing)}")
    unknown = sorted(set(value) - set(_MEMBERS))
    _require(not unknown, f"a platform has the unknown member {', '.join(unknown)[:64]!r}")
    for field in value:
        _hexadecimal(value[field], f"a platform's {field}", _MEMBERS[field])
    zeros = value.get("mr_service_td") == NO_SERVICE_TD
    _require(not zeros, "a platform's mr_service_td is zeros; leave it out where there is no service TD")
    return dict(value)


def references_from(document: dict[str, Any]) -> References:
    """One document's reference values. Raises `UsageError`: unknown or missing members, empty or badly sized values."""
    _require(is_version(document.get("v"), 1), f"v is {shown(document.get('v'))}, this version reads 1")
    unknown = sorted(set(document) - {"v", "name", "events", "rtmr_3", "platforms"})
    _require(not unknown, f"unknown member {', '.join(unknown)[:64]!r}")
    rtmr_3 = document.get("rtmr_3")
    if rtmr_3 is not None:
        _hexadecimal(rtmr_3, "rtmr_3", 48)
    events, platforms, name = document.get("events"), document.get("platforms", []), document.get("name", "")
    _require(isinstance(events, list), "events is missing or not a list")
    _require(isinstance(platforms, list) and isinstance(name, str), "platforms or name has the wrong type")
    for event in events or ():
        _require(isinstance(event, str) and event != "" and "\n" not in event, "an event is empty or not one line")
    return References(frozenset(events or ()), tuple(_platform(item) for item in platforms), (name,))


def merge(documents: Iterable[References]) -> References:
    """All documents held, taken together."""
    held = list(documents)
    return References(
        frozenset().union(*(item.events for item in held)),
        tuple(platform for item in held for platform in item.platforms),
        tuple(name for item in held for name in item.names),
    )


def load_references(data: bytes) -> References:
    """Reference values from the bytes of a file. Raises `UsageError`."""
    try:
        return references_from(load_object(data, "the reference-value file"))
    except Malformed as error:
        raise UsageError(str(error)) from None
