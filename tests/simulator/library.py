"""The simulated library through ctypes. Light, so that tests can start many processes with it."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path


class Library:
    """libtdx_attest.so.1 as a C program sees it. Every call returns the status code, 0 with what was asked for."""

    def __init__(self, path: Path) -> None:
        self.c = ctypes.CDLL(str(path))

    def quote(
        self, report_data: bytes | None = bytes(64), ids: bytes | None = None, count: int = 0, flags: int = 0
    ) -> tuple[int, bytes]:
        pointer, size, selected = ctypes.POINTER(ctypes.c_uint8)(), ctypes.c_uint32(), ctypes.create_string_buffer(16)
        status = self.c.tdx_att_get_quote(
            report_data, ids, count, selected, ctypes.byref(pointer), ctypes.byref(size), flags
        )
        if status:
            assert not pointer, "a failed call must leave no buffer behind"
            return status, b""
        quote = ctypes.string_at(pointer, size.value)
        assert self.c.tdx_att_free_quote(pointer) == 0
        return 0, quote

    def report(self, report_data: bytes | None = bytes(64)) -> tuple[int, bytes]:
        buffer = ctypes.create_string_buffer(1024)
        return self.c.tdx_att_get_report(report_data, buffer), buffer.raw

    def extend(self, index: int, data: bytes = bytes(48), *, version: int = 1, event_size: int = 0) -> int:
        event = struct.pack("<IQ48sII", version, index, data, 0, event_size)
        status: int = self.c.tdx_att_extend(event)
        return status

    def key_ids(self, room: int = 1) -> tuple[int, int, bytes]:
        ids, count = ctypes.create_string_buffer(16), ctypes.c_uint32(room)
        status = self.c.tdx_att_get_supported_att_key_ids(ids if room else None, ctypes.byref(count))
        return status, count.value, ids.raw
