"""A whole sealed message as a stream of bytes, at either end: framed and sealed, unframed and opened."""

from __future__ import annotations

from .binary_http import Head, Reader
from .exchange import Opener, Sealer
from .framing import Chunks, frame


def seal(sealer: Sealer, data: bytes, final: bool = False) -> bytes:
    """The next chunk, ready to be sent."""
    return frame(sealer.seal(data, final), final)


class Opened:
    """Takes a message's bytes, split in any way, and gives the pieces of its content. `kind`: REQUEST or RESPONSE."""

    def __init__(self, opener: Opener, kind: int) -> None:
        self._opener, self._chunks, self._reader = opener, Chunks(), Reader(kind)

    @property
    def head(self) -> Head | None:
        """The message's head, once it is there."""
        return self._reader.head

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of content that are complete with `data`. Raises SealedError."""
        return [piece for sealed, _ in self._chunks.feed(data) for piece in self._open(sealed, False)]

    def end(self) -> list[bytes]:
        """The last pieces, when the stream has ended. Raises SealedError, TruncatedError where it ended too early."""
        pieces = self._open(*self._chunks.end())
        self._reader.end()
        return pieces

    def _open(self, sealed: bytes, final: bool) -> list[bytes]:
        return self._reader.feed(self._opener.open(sealed, final))
