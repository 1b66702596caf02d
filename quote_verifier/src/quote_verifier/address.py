"""Addresses in a browser's spelling (WHATWG URL standard, sections 3 and 4): origins are compared as texts.

Only what an address of a service needs is read: http or https, a host, a port and perhaps a path. What browsers mend in
silence (white space, backslashes, percent signs in a host) and what no origin holds (user, query, fragment) is refused.
Names that are not ASCII are mapped and encoded as UTS #46 says, by the tables of the `idna` package; a browser's may
be of another Unicode version.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass

import idna

from .errors import Malformed

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#\\]*)(?P<path>/[^?#\\]*)?(?P<query>\?[^#]*)?(?P<fragment>#.*)?\Z", re.I
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::(?P<port>[0-9]*))?\Z")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\"#%/:<>?@\[\\\]^`{|}]")
_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """`origin`: scheme://host[:port] as a browser writes it; `path`: empty, or from its slash on without a last one."""

    origin: str
    path: str

    @property
    def url(self) -> str:
        """The whole address."""
        return self.origin + self.path


def _number(text: str) -> int:
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8) if len(text) > 1 and text[0] == "0" else int(text)


def _ipv4(host: str) -> str | None:
    """The dotted form of a host whose last label is a number; `None` if it is no such host. Raises ValueError."""
    labels = host.removesuffix(".").split(".")
    if not _NUMBER.match(labels[-1]):
        return None
    if len(labels) > 4 or not all(_NUMBER.match(label) for label in labels):
        raise ValueError
    *first, last = (_number(label) for label in labels)
    if any(part > 255 for part in first) or last >= 256 ** (4 - len(first)):
        raise ValueError
    return str(ipaddress.IPv4Address(sum(part << (24 - 8 * i) for i, part in enumerate(first)) + last))


def _ipv6(text: str) -> str:
    """RFC 5952 without its dotted forms: the longest run of at least two zero groups is `::`, the first of equals."""
    groups = [int(group, 16) for group in ipaddress.IPv6Address(text).exploded.split(":")]
    runs = [(start, end) for start in range(8) for end in range(start + 2, 9) if not any(groups[start:end])]
    shown = [f"{group:x}" for group in groups]
    if not runs:
        return ":".join(shown)
    start, end = max(runs, key=lambda run: (run[1] - run[0], -run[0]))
    return f"{':'.join(shown[:start])}::{':'.join(shown[end:])}"


def _label(label: str) -> str:
    """One label of a name that UTS #46 has mapped, in ASCII. Raises ValueError: nothing that a browser would take."""
    encoded = label.startswith("xn--")
    shown = label[4:].encode("ascii").decode("punycode") if encoded else label
    if shown.isascii():
        if encoded:
            raise ValueError
        return label
    valid = idna.uts46_remap(shown, False, False) == shown and unicodedata.normalize("NFC", shown) == shown
    if not valid or unicodedata.category(shown[0]).startswith("M"):
        raise ValueError
    for position, char in enumerate(shown):
        if char in "\u200c\u200d" and not idna.valid_contextj(shown, position):
            raise ValueError
    return "xn--" + shown.encode("punycode").decode("ascii")


def _domain(host: str) -> str:
    labels = idna.uts46_remap(host, False, False).split(".")
    shown = [label.encode("ascii").decode("punycode") if label.startswith("xn--") else label for label in labels]
    if any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for label in shown for char in label):
        for label in filter(None, labels):
            idna.check_bidi(idna.ulabel(label) if label.startswith("xn--") else label, check_ltr=True)
    name = ".".join(map(_label, labels))
    if not name or _FORBIDDEN.search(name):
        raise ValueError
    return _ipv4(name) or name


def _host(text: str) -> str:
    if text.startswith("["):
        return f"[{_ipv6(text[1:-1])}]"
    if _FORBIDDEN.search(text):
        raise ValueError
    return _domain(text)


def parse_address(text: str) -> Address:
    """Read an address. Raises `Malformed`, naming the part that is wrong."""
    shown = repr(text[:200])
    found = _URL.match(text)
    if not found:
        raise Malformed(f"{shown} is not an http or https URL")
    for part, word in (("query", "query"), ("fragment", "fragment")):
        if found[part] is not None:
            raise Malformed(f"{shown} has a {word}; give the address without")
    if "@" in found["authority"]:
        raise Malformed(f"{shown} has a user name; give the address without")
    authority = _AUTHORITY.match(found["authority"])
    path = found["path"] or ""
    try:
        if not authority or re.search(r"[\x00-\x20\x7f]", path):
            raise ValueError
        scheme, host = found["scheme"].lower(), _host(authority["host"])
        port = int(authority["port"]) if authority["port"] else _DEFAULT_PORTS[scheme]
        if port > 65535:
            raise ValueError
    except (ValueError, UnicodeError):  # idna's errors are UnicodeErrors
        raise Malformed(f"{shown} is not an http or https URL that a browser would open") from None
    return Address(f"{scheme}://{host}" + (f":{port}" if port != _DEFAULT_PORTS[scheme] else ""), path.rstrip("/"))


def origin_of(text: str) -> str:
    """The origin of an address, as a browser writes it. Raises `Malformed`."""
    return parse_address(text).origin


def is_origin(text: str) -> bool:
    """Whether `text` is an origin in the one spelling that browsers give it."""
    try:
        return origin_of(text) == text
    except Malformed:
        return False
