"""Integers of 1, 2, 4 or 8 bytes, big-endian, whose first two bits say how many (RFC 9000, section 16)."""

from __future__ import annotations

from .errors import MalformedError

_SIZES = ((1 << 6, 1, 0), (1 << 14, 2, 1), (1 << 30, 4, 2), (1 << 62, 8, 3))


def encode(value: int) -> bytes:
    """The shortest form of 0 to 2**62 - 1; ValueError for any other number."""
    for limit, size, mark in _SIZES:
        if 0 <= value < limit:
            return (value | mark << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(f"a variable-length integer is from 0 to 2**62 - 1, not {value}")


def size_of(first: int) -> int:
    """How many bytes an integer has whose first byte is `first`."""
    return 1 << (first >> 6)


def decode(data: bytes | bytearray | memoryview, at: int = 0) -> tuple[int, int] | None:
    """The integer at `at` and where it ends, None where `data` ends before it does."""
    if at >= len(data):
        return None
    end = at + size_of(data[at])
    if end > len(data):
        return None
    return int.from_bytes(data[at:end], "big") & ((1 << (8 * (end - at) - 2)) - 1), end


def require(data: bytes | bytearray | memoryview, at: int, what: str) -> tuple[int, int]:
    """The same for data that is complete; MalformedError where it ends too early."""
    found = decode(data, at)
    if found is None:
        raise MalformedError(f"the message ends in the middle of {what}")
    return found
