"""Hexadecimal and base64url in their one canonical spelling, so that equal bytes are equal strings."""

import base64
import binascii
import re

from .errors import Malformed

_HEX = re.compile(r"[0-9a-f]*\Z")


def from_hex(text: str, what: str, size: int | None = None) -> bytes:
    """Bytes of lower-case hexadecimal `text`; `size` in bytes, if it is fixed. Raises `Malformed`."""
    if text[:2] in ("0x", "0X"):
        raise Malformed(f"{what} begins with 0x, expected lower-case hexadecimal digits alone")
    if len(text) % 2 or not _HEX.match(text):
        raise Malformed(f"{what} is not lower-case hexadecimal")
    if size is not None and len(text) != 2 * size:
        raise Malformed(f"{what} has {len(text) // 2} bytes, expected {size}")
    return bytes.fromhex(text)


def from_base64url(text: str, what: str, size: int | None = None) -> bytes:
    """Bytes of unpadded base64url (RFC 4648, section 5), canonical: no other spelling of the same bytes is taken."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{what} is not base64url") from None
    if to_base64url(raw) != text:
        raise Malformed(f"{what} is not canonical base64url without padding")
    if size is not None and len(raw) != size:
        raise Malformed(f"{what} has {len(raw)} bytes, expected {size}")
    return raw


def to_base64url(raw: bytes) -> str:
    """Unpadded base64url of `raw`."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
