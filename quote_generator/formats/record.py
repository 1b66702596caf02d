"""Fixed-size binary records as dataclasses: each field states its offset and size, and the layout is checked at import.

@dataclass(frozen=True)
class Point(Record):
    x: int = uint(0, 2)       # little-endian, as everything that TDX defines
    name: bytes = raw(2, 8)
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self


class FormatError(ValueError):
    """The bytes are not what they should be; the message names the structure, the value and what was expected."""


def raw(offset: int, size: int) -> Any:
    """`size` bytes at `offset`, kept as they are."""
    return dataclasses.field(metadata={"offset": offset, "size": size, "kind": "raw"})


def uint(offset: int, size: int) -> Any:
    """An unsigned little-endian integer of `size` bytes at `offset`."""
    return dataclasses.field(metadata={"offset": offset, "size": size, "kind": "uint"})


def record(offset: int, cls: type[Record]) -> Any:
    """Another record at `offset`."""
    return dataclasses.field(metadata={"offset": offset, "size": cls.size(), "kind": cls})


class Record:
    """Base of the fixed-size structures: strict `unpack`, exact inverse `pack`."""

    TITLE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @classmethod
    def size(cls) -> int:
        """Size in bytes; also proves that the fields follow each other without gap or overlap."""
        end = 0
        for field in dataclasses.fields(cls):
            if field.metadata["offset"] != end:
                raise AssertionError(f"{cls.__name__}.{field.name} starts at {end}, not {field.metadata['offset']}")
            end += field.metadata["size"]
        return end

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Raises FormatError unless `data` has exactly this structure's size."""
        if len(data) != cls.size():
            raise FormatError(f"{cls.TITLE} has {cls.size()} bytes, not {len(data)}")
        values: list[Any] = []
        for field in dataclasses.fields(cls):
            start, kind = field.metadata["offset"], field.metadata["kind"]
            part = bytes(data[start : start + field.metadata["size"]])
            if kind == "raw":
                values.append(part)
            elif kind == "uint":
                values.append(int.from_bytes(part, "little"))
            else:
                values.append(kind.unpack(part))
        return cls(*values)

    def pack(self) -> bytes:
        """Raises FormatError where a value was replaced by one of another size."""
        out = bytearray()
        for field in dataclasses.fields(self):
            value, size, kind = getattr(self, field.name), field.metadata["size"], field.metadata["kind"]
            if kind == "uint":
                if not 0 <= value < 1 << 8 * size:
                    raise FormatError(f"{self.TITLE}: {field.name} = {value} does not fit into {size} bytes")
                part = value.to_bytes(size, "little")
            else:
                part = value if kind == "raw" else value.pack()
            if len(part) != size:
                raise FormatError(f"{self.TITLE}: {field.name} has {size} bytes, not {len(part)}")
            out += part
        return bytes(out)

    def raw_fields(self) -> dict[str, bytes]:
        """The byte-string fields by name, in order."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.metadata["kind"] == "raw"}


class Reader:
    """Walks over bytes of variable structure; every shortage is a FormatError that names what was being read."""

    def __init__(self, data: bytes, title: str) -> None:
        self.data = data
        self.title = title
        self.position = 0

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes; FormatError, naming `what`, if there are fewer."""
        left = len(self.data) - self.position
        if size > left:
            raise FormatError(
                f"{self.title} is truncated: {what} needs {size} bytes at offset {self.position}, there are {left}"
            )
        self.position += size
        return self.data[self.position - size : self.position]

    def take_uint(self, size: int, what: str) -> int:
        """The next `size` bytes as a little-endian number."""
        return int.from_bytes(self.take(size, what), "little")

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self.data) - self.position, "the rest")

    def finish(self) -> None:
        """FormatError if anything is left."""
        if left := len(self.data) - self.position:
            raise FormatError(f"{self.title} is {left} bytes longer than its content")
