"""What a quote is said to be bound to: `runtime_data`; `data/runtime_data.json` lists its members for both verifiers.

Kinds of values: `count` (a whole number from `least`, or 0, to `most`), `hex` and `base64url` (of `size` bytes, where
it is given, in the one canonical spelling), `word` (one `of` a list), `text`, and `object` with `members`, of which
those that are `optional` may be missing. Nothing here is believed: whether a quote binds it is for `binding` to say.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import rfc8785

from .encoding import from_base64url, from_hex
from .errors import Malformed, shown
from .facts import load
from .strictjson import is_version

VERSION: int = load("runtime_data")["v"]["type"]["least"]
_ROOT = {
    "kind": "object",
    "members": {
        name: entry["type"] | {"optional": entry.get("optional", False)} for name, entry in load("runtime_data").items()
    },
}


def report_data_of(runtime_data: dict[str, Any]) -> bytes:
    """SHA-384(JCS(runtime_data)) and 16 zero bytes: the 64 bytes of report data that bind it."""
    return hashlib.sha384(rfc8785.dumps(runtime_data)).digest() + bytes(16)


def check_shape(runtime_data: Any) -> list[str]:
    """The names of its members that are newer than this verifier, sorted. Raises `Malformed`."""
    if not isinstance(runtime_data, dict):
        raise Malformed("runtime_data is missing or not an object")
    version = runtime_data.get("v")
    if not is_version(version, VERSION):
        older = "; the server is of an older release: update it, or judge it with that release's verifier"
        raise Malformed(
            f"runtime_data's v is {shown(version)}, expected {VERSION}{older if is_version(version, 1) else ''}"
        )
    return sorted(_newer(runtime_data, _ROOT, "runtime_data"))


def _newer(value: Any, rule: dict[str, Any], what: str) -> Iterator[str]:
    """Members that the table does not know, by names with dots. Raises `Malformed` for a value of another type."""
    if rule["kind"] != "object":
        _check_value(value, rule, what)
        return
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not an object")
    members = rule["members"]
    yield from (name for name in value if name not in members)
    for name, member in members.items():
        if name in value:
            for newer in _newer(
                value[name], member, f"{what}'s {name}" if what == "runtime_data" else f"{what}.{name}"
            ):
                yield f"{name}.{newer}"
        elif not member.get("optional"):
            raise Malformed(f"{what} lacks {name}")


def _check_value(value: Any, rule: dict[str, Any], what: str) -> None:
    kind, size = rule["kind"], rule.get("size")
    if kind == "count":
        _check_count(value, rule, what)
    elif not isinstance(value, str):
        raise Malformed(f"{what} is not a string")
    elif kind == "hex":
        from_hex(value, what, size)
    elif kind == "base64url":
        from_base64url(value, what, size)
    elif kind == "word" and value not in rule["of"]:
        raise Malformed(f"{what} is {value[:64]!r}, expected {' or '.join(rule['of'])}")


def _check_count(value: Any, rule: dict[str, Any], what: str) -> None:
    least, most = rule.get("least", 0), rule.get("most")
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        bounds = f"from {least}" + ("" if most is None else f" to {most}")
        raise Malformed(f"{what} is {shown(value)}, expected a whole number {bounds}")
