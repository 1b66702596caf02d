"""Messages of a WebSocket, each sealed by itself: `kind(1) || length || data || zeros`, its size on a grid.

The grid is `binary_http.padded_size`'s, and multiples of 16,384 bytes beyond it. A message is sealed whole, since a
WebSocket keeps its bounds; only the closing one is final.
"""

from __future__ import annotations

from . import varint
from .binary_http import padded_size
from .errors import MalformedError
from .framing import CHUNK_LIMIT

TEXT, BINARY, CLOSE = 1, 2, 8  # kinds, as RFC 6455 numbers them
LIMIT = 16 * 1024 * 1024  # bytes of a message


def encode(kind: int, data: bytes) -> bytes:
    """A message, padded. MalformedError for more than LIMIT bytes."""
    if len(data) > LIMIT:
        raise MalformedError(f"a message has at most {LIMIT} bytes, not {len(data)}")
    counted = bytes([kind]) + varint.encode(len(data)) + data
    size = padded_size(len(counted)) if len(counted) <= CHUNK_LIMIT else -(-len(counted) // CHUNK_LIMIT) * CHUNK_LIMIT
    return counted + bytes(size - len(counted))


def decode(message: bytes) -> tuple[int, bytes]:
    """Kind and data."""
    if not message or message[0] not in (TEXT, BINARY, CLOSE):
        raise MalformedError("a sealed message begins with its kind: 1, 2 or 8")
    length, start = varint.require(message, 1, "a message's length")
    if start + length > len(message) or message[start + length :].strip(b"\0"):
        raise MalformedError("a sealed message's padding is not what it should be")
    return message[0], message[start : start + length]
