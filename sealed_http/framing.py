"""Chunks of a sealed message as they travel: `length || sealed` each, the last one `0 || sealed` up to the end.

draft-ietf-ohai-chunked-ohttp-08, section 4. The length is a variable-length integer and counts the tag.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import varint
from .errors import MalformedError, TruncatedError
from .key_config import TAG_SIZE

CHUNK_LIMIT = 16_384  # bytes of a chunk before it is sealed: what every receiver accepts
_SEALED_LIMIT = CHUNK_LIMIT + TAG_SIZE


def frame(sealed: bytes, final: bool = False) -> bytes:
    """One chunk, ready to be sent."""
    return (b"\0" if final else varint.encode(len(sealed))) + sealed


class Chunks:
    """Takes a stream's bytes, split in any way, and gives the sealed chunks in it as `(sealed, final)`."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._last = False  # what is held belongs to the final chunk, which runs to the stream's end

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """The chunks that are complete with `data`, none of them the final one. MalformedError for a long one."""
        self._held += data
        while not self._last and (found := varint.decode(self._held)) is not None:
            length, start = found
            if length == 0:
                self._last = True
                del self._held[:start]
                break
            if not TAG_SIZE <= length <= _SEALED_LIMIT:
                raise MalformedError(f"a sealed chunk has {TAG_SIZE} to {_SEALED_LIMIT} bytes, not {length}")
            if len(self._held) < start + length:
                break
            yield bytes(self._held[start : start + length]), False
            del self._held[: start + length]
        if self._last and len(self._held) > _SEALED_LIMIT:
            raise MalformedError(f"the final chunk has more than {_SEALED_LIMIT} bytes")

    def end(self) -> tuple[bytes, bool]:
        """The final chunk, when the stream has ended. TruncatedError where it ended too early."""
        if not self._last or len(self._held) < TAG_SIZE:
            raise TruncatedError("the sealed message ended before its final chunk: something cut it off on its way")
        return bytes(self._held), True
