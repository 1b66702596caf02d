"""What a quote is bound to: `runtime_data`, version 2, a JSON object whose hash is the quote's report data.

report data = SHA-384(JCS(runtime_data)) || 16 zero bytes (JCS is RFC 8785). `v` and `nonces` are each quote's own,
`release` and `origin` are fixed when the attester starts, and the other members are bound by door and launcher, as long
as it runs. The verifiers' table of the members (`quote_verifier/data/runtime_data.json`) says what each means; a test
compares the two.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

import rfc8785

from .nonces import MOST_NONCES, base64url

VERSION = 2
MAX_COUNT = 2**53 - 1  # what a JavaScript number holds exactly
FIXED = ("v", "nonces", "release", "origin")
_KEY = {"kind": "base64url", "size": 32}
#: Each member's type, in the words of the verifiers' table.
MEMBERS: dict[str, dict[str, Any]] = {
    "v": {"kind": "count", "least": VERSION, "most": VERSION},
    "nonces": {
        "kind": "object",
        "members": {
            "root": {"kind": "base64url", "size": 48},
            "size": {"kind": "count", "least": 1, "most": MOST_NONCES},
        },
    },
    "release": {"kind": "hex", "size": 48},
    "origin": {"kind": "text"},
    "tls": {
        "kind": "object",
        "members": {"spki_sha256": {"kind": "hex", "size": 32}, "key": {"kind": "word", "of": ["drawn", "given"]}},
    },
    "channel": {"kind": "base64url"},
    "unlock": _KEY,
    "data": {
        "kind": "object",
        "members": {
            "state": {"kind": "word", "of": ["plain", "encrypted"]},
            "owner": {**_KEY, "optional": True},
            "generation": {"kind": "count", "optional": True},
        },
    },
    "gpu_evidence": {"kind": "hex", "size": 48},
}
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(:[0-9]{1,5})?")


def is_base64url(text: str, size: int | None) -> bool:
    """Whether `text` is the one spelling of `size` bytes (None: of any number), without padding."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return base64url(raw) == text and size in (None, len(raw))


def _is_object(value: Any, members: dict[str, dict[str, Any]]) -> bool:
    if not isinstance(value, dict) or set(value) - set(members):
        return False
    present = {name: one for name, one in members.items() if name in value or not one.get("optional")}
    return all(name in value and _fits(value[name], one) for name, one in present.items())


def _fits(value: Any, rule: dict[str, Any]) -> bool:
    kind = rule["kind"]
    if kind == "object":
        return _is_object(value, rule["members"])
    if kind == "count":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and rule.get("least", 0) <= value <= rule.get("most", MAX_COUNT)
    if not isinstance(value, str):
        return False
    if kind == "hex":
        return re.fullmatch(f"[0-9a-f]{{{2 * rule['size']}}}", value) is not None
    if kind == "base64url":
        return is_base64url(value, rule.get("size"))
    return kind == "text" or value in rule["of"]


def _digest(name: str, value: str | None, digits: int) -> None:
    if value is not None and not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
        raise ValueError(f"the {name} is {digits} lower-case hex digits, not {value[:100]!r}")


class RuntimeData:
    """What every quote of this attester is bound to, beside the nonces. Raises ValueError for a malformed value.

    `bind` may be called in one thread while another one makes quotes: a quote has all that was bound before it began.
    """

    def __init__(self, release: str | None = None, origin: str | None = None) -> None:
        _digest("release digest", release, 96)
        if origin is not None and not _ORIGIN.fullmatch(origin):
            message = "the origin is scheme, lower-case host and port, as in https://chat.example.org, with no path"
            raise ValueError(f"{message}; not {origin[:100]!r}")
        fixed = {"release": release, "origin": origin}
        self._members: dict[str, Any] = {name: value for name, value in fixed.items() if value is not None}

    def bind(self, changes: dict[str, Any]) -> None:
        """Replace members as wholes; None takes one away. Raises ValueError where one is wrong, changing nothing."""
        for name, value in changes.items():
            if name not in MEMBERS or name in FIXED:
                bindable = ", ".join(one for one in MEMBERS if one not in FIXED)
                raise ValueError(f"{name[:60]!r} cannot be bound; one of {bindable} can")
            if value is not None and not _fits(value, MEMBERS[name]):
                raise ValueError(f"the value for {name} is not of its type, {MEMBERS[name]}: {str(value)[:100]}")
        members = {**self._members, **changes}
        self._members = {name: value for name, value in members.items() if value is not None}

    def of(self, root: bytes, size: int) -> dict[str, Any]:
        """The object for the tree with that root (48 bytes) and that many nonces."""
        return {"v": VERSION, "nonces": {"root": base64url(root), "size": size}, **self._members}


def report_data(runtime_data: dict[str, Any]) -> bytes:
    """The 64 bytes that bind a quote to `runtime_data`."""
    return hashlib.sha384(rfc8785.dumps(runtime_data)).digest() + bytes(16)
