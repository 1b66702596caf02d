"""HTTP messages as bytes: the indeterminate-length form of Binary HTTP (RFC 9292, section 3.2), which can be streamed.

A message is `indicator, control data, field lines, 0, content chunks, 0, trailers, 0`. This profile of it has no
informational responses and no trailers, and hides lengths: the field `padding` fills the head up to the grid of
`padded_size`, and each content chunk is `length || data || zeros`, its size on the grid as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from . import varint
from .errors import MalformedError, TruncatedError
from .framing import CHUNK_LIMIT

REQUEST, RESPONSE = 2, 3  # framing indicators
END = b"\0\0"  # no more content, no trailers
DATA_LIMIT = CHUNK_LIMIT - 4  # bytes in one content chunk, so that it fills one sealed chunk
HEAD_LIMIT = CHUNK_LIMIT  # bytes of control data and fields: a head is one sealed chunk
FIELD_COUNT_LIMIT = 256
PADDING = "padding"
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
# Of one connection (RFC 9110, section 7.6.1), or of how a message was framed: they have no meaning in here.
NOT_HERE = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
)

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Head:
    """Of a request: `method`, `authority` and `path` (with its query). Of an answer: `status`. Field names are
    lower-case, values Latin-1 text."""

    fields: Fields = ()
    method: str = ""
    authority: str = ""
    path: str = ""
    status: int = 0

    def field(self, name: str) -> str | None:
        """The first value of a field."""
        return next((value for known, value in self.fields if known == name), None)


def padded_size(size: int) -> int:
    """The grid: multiples of 256 bytes up to 4,096, then of 4,096 up to 16,384."""
    step = 256 if size <= 4096 else 4096
    return -(-size // step) * step


def encode_head(head: Head) -> bytes:
    """A head, padded. MalformedError for one that no HTTP message can have, or of more than HEAD_LIMIT bytes."""
    _check(head)
    if head.status:
        control = varint.encode(RESPONSE) + varint.encode(head.status)
    else:
        control = varint.encode(REQUEST) + b"".join(map(_counted, (head.method, "https", head.authority, head.path)))
    lines = b"".join(_counted(name) + _counted(value) for name, value in head.fields if name != PADDING)
    return _padded(control + lines) + b"\0"


def encode_content(data: bytes) -> Iterator[bytes]:
    """Content, in padded chunks of at most CHUNK_LIMIT bytes each, to be sealed one by one."""
    for start in range(0, len(data), DATA_LIMIT):
        piece = data[start : start + DATA_LIMIT]
        counted = varint.encode(len(piece)) + piece
        room = padded_size(len(counted) + 2) - 2  # at least 254, so its length takes two bytes
        yield varint.encode(room) + counted + bytes(room - len(counted))


class Reader:
    """Reads one message from its opened chunks, in order."""

    def __init__(self, kind: int) -> None:
        """`kind`: REQUEST or RESPONSE."""
        self._kind = kind
        self._held = bytearray()
        self._ended = False
        self.head: Head | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of content that are complete with `data`; `head` is there before the first of them."""
        self._held += data
        pieces: list[bytes] = []
        if self.head is None and not self._take_head():
            return pieces
        while not self._ended and (found := varint.decode(self._held)) is not None:
            length, start = found
            if length > CHUNK_LIMIT:
                raise MalformedError(f"a content chunk has at most {CHUNK_LIMIT} bytes, not {length}")
            if len(self._held) < start + length:
                break
            if length == 0:
                self._ended = True
            else:
                pieces.append(_unpadded(bytes(self._held[start : start + length])))
            del self._held[: start + length]
        if self._ended and self._held.strip(b"\0"):
            raise MalformedError("there is something behind the end of the content")
        return pieces

    def end(self) -> None:
        """To be called after the final chunk. TruncatedError where the message has no end."""
        if not self._ended:
            raise TruncatedError("the message inside the sealed one ends too early")

    def _take_head(self) -> bool:
        end = _head_end(self._held, self._kind)
        if end is None:
            if len(self._held) > HEAD_LIMIT:
                raise MalformedError(f"a message's head has at most {HEAD_LIMIT} bytes")
            return False
        self.head = _parse_head(bytes(self._held[:end]), self._kind)
        del self._held[:end]
        return True


def _counted(text: str) -> bytes:
    data = text.encode("latin-1")
    return varint.encode(len(data)) + data


def _padded(head: bytes) -> bytes:
    """`head` and a field of zeros, so that it fills the grid with the byte that is still to come."""
    size, name = padded_size(len(head) + 1), _counted(PADDING)
    while size <= HEAD_LIMIT:
        for prefix in (1, 2):
            zeros = size - 1 - len(head) - len(name) - prefix
            if zeros >= 0 and len(varint.encode(zeros)) == prefix:
                return head + name + varint.encode(zeros) + b"0" * zeros
        size = padded_size(size + 1)
    raise MalformedError(f"a message's head has at most {HEAD_LIMIT} bytes, and this one does not fit")


def _unpadded(chunk: bytes) -> bytes:
    length, start = varint.require(chunk, 0, "a content chunk")
    if start + length > len(chunk) or chunk[start + length :].strip(b"\0"):
        raise MalformedError("a content chunk's padding is not what it should be")
    return chunk[start : start + length]


def _head_end(data: bytearray, kind: int) -> int | None:
    """Where the head in `data` ends, None where it is not complete."""
    at = _skip(data, 0, texts=0)  # the indicator
    if at is not None and data[0] != kind:
        raise MalformedError(f"this is no message of the expected kind: it begins with {data[0]}, not {kind}")
    if at is not None:
        at = _skip(data, at, texts=4) if kind == REQUEST else _skip(data, at, texts=0)
    for _ in range(FIELD_COUNT_LIMIT + 2):
        if at is None or at >= len(data):
            return None
        if data[at] == 0:
            return at + 1
        at = _skip(data, at, texts=2)
    raise MalformedError(f"a message has at most {FIELD_COUNT_LIMIT} fields")


def _skip(data: bytearray, at: int, texts: int) -> int | None:
    """Behind `texts` counted texts, or behind one number where that is 0."""
    for _ in range(texts or 1):
        found = varint.decode(data, at)
        if found is None:
            return None
        length, at = found
        at += length if texts else 0
        if at > HEAD_LIMIT:
            raise MalformedError(f"a message's head has at most {HEAD_LIMIT} bytes")
        if at > len(data):
            return None
    return at


def _parse_head(data: bytes, kind: int) -> Head:
    if kind == REQUEST:
        method, scheme, authority, path, *lines = _texts(data, 1)
        if scheme != "https":
            raise MalformedError("a sealed request's scheme is https, wherever it came from")
        head = Head(_fields(lines), method=method, authority=authority, path=path)
    else:
        status, at = varint.require(data, 1, "the status")
        head = Head(_fields(_texts(data, at)), status=status)
    _check(head)
    return head


def _fields(texts: Iterable[str]) -> Fields:
    """Names and values in turn, without the padding."""
    pairs = iter(texts)
    return tuple((name, value) for name, value in zip(pairs, pairs, strict=True) if name != PADDING)


def _texts(data: bytes, at: int) -> Iterable[str]:
    """The counted texts from `at` on, without the byte 0 at the end."""
    while at < len(data) - 1:
        length, start = varint.require(data, at, "the head")
        at = start + length
        yield data[start:at].decode("latin-1")


def _check(head: Head) -> None:
    """MalformedError unless `head` could be put on a line of HTTP/1.1 without meaning something else there."""
    if head.status:
        if not 200 <= head.status <= 599:
            raise MalformedError(f"an answer's status is from 200 to 599 here, not {head.status}")
    elif not _METHOD.fullmatch(head.method):
        raise MalformedError(f"{head.method[:20]!r} is not a method")
    elif not re.fullmatch(r"/[\x21-\x7e]*", head.path) or not re.fullmatch(r"[A-Za-z0-9.\[\]:_-]*", head.authority):
        raise MalformedError("a request's path begins with / and holds printable ASCII; its authority is a host")
    if len(head.fields) > FIELD_COUNT_LIMIT:
        raise MalformedError(f"a message has at most {FIELD_COUNT_LIMIT} fields")
    for name, value in head.fields:
        if not _NAME.fullmatch(name) or name in NOT_HERE:
            raise MalformedError(f"{name[:40]!r} is not a field that a sealed message may have")
        if not _VALUE.fullmatch(value):
            raise MalformedError(f"the field {name[:40]!r} holds a control character, or more than Latin-1")
