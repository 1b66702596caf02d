"""Stand-ins for the hardware: a register kept in a file, as durable and as indivisible as the real one."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from quote_generator.aael import ZERO, extended
from quote_generator.errors import ExtendFailureError

# Taken before a test replaces os functions: what the register does is the hardware's, not the program's.
_open, _close, _pread, _pwrite = os.open, os.close, os.pread, os.pwrite


class FileRegisters:
    """RTMR 3 in a file. `refuse` makes every extend fail, `silent` makes it succeed without doing anything."""

    name = "file"

    def __init__(self, path: Path, refuse: bool = False, silent: bool = False) -> None:
        self.path, self.refuse, self.silent = path, refuse, silent
        if not path.exists():
            path.write_bytes(ZERO)

    def read(self) -> bytes:
        descriptor = _open(self.path, os.O_RDONLY)
        try:
            return _pread(descriptor, 48, 0)
        finally:
            _close(descriptor)

    def extend(self, digest: bytes) -> None:
        if self.refuse:
            raise ExtendFailureError()
        if self.silent:
            return
        descriptor = _open(self.path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _pwrite(descriptor, extended(_pread(descriptor, 48, 0), digest), 0)
        finally:
            _close(descriptor)
