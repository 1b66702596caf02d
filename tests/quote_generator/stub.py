"""The stub library, compiled and bound: `tests/quote_generator/stub_library.c` says what it can do."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

from tests.compiled import compiler

SOURCE = Path(__file__).with_name("stub_library.c")


def compile_stub(out: Path, name: str = "libtdx_attest.so.1") -> Path:
    command = [
        *compiler(),
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-O2",
        "-shared",
        "-fPIC",
        "-o",
        str(out / name),
        str(SOURCE),
    ]
    subprocess.run(command, check=True)
    return out / name


class Stub:
    """Sets what the library answers, and tells what it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._library = ctypes.CDLL(str(path))
        for name in ("data", "ids", "event"):
            getattr(self._library, f"stub_{name}").restype = ctypes.c_void_p
        self._library.stub_living.restype = self._library.stub_calls.restype = ctypes.c_long

    def set(self, status: int = 0, busy_times: int = 0, delay_ms: int = 0) -> None:
        self._library.stub_set(status, busy_times, delay_ms)

    def odd(self, buffer_on_error: bool = False, no_buffer: bool = False, keys: int = 1) -> None:
        self._library.stub_odd(buffer_on_error, no_buffer, keys)

    def only_key(self, key_id: bytes) -> None:
        """The platform has this attestation key and no other."""
        self._library.stub_only_key(key_id)

    def living(self) -> int:
        return int(self._library.stub_living())

    def calls(self) -> int:
        return int(self._library.stub_calls())

    def seen(self, name: str, size: int) -> bytes:
        return ctypes.string_at(getattr(self._library, f"stub_{name}")(), size)

    def count(self) -> int:
        return int(self._library.stub_count())
