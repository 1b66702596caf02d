"""Uploads on their way, where data is encrypted: in memory, so that each is encrypted once, when it is kept.

The web server's library puts what is longer than a megabyte into a temporary file, which then lies in the encrypted
folder: written, read and written there again. Here all uploads together may take a bounded part of memory; what does
not fit goes into that temporary file as before. No word lies in plain text on a disk either way.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
from contextlib import suppress
from typing import IO, Any

#: What the library (starlette.formparsers) makes one of for each file.
LIBRARYS = "SpooledTemporaryFile"
#: Of memory, for all uploads that are under way together (bytes). Whoever uploads slowly cannot take more.
MOST = 256 * 1024 * 1024


class Upload(io.BufferedIOBase):
    """A file in memory that moves to the temporary folder where memory for uploads is used up."""

    _lock = threading.Lock()
    _all = 0

    def __init__(self, max_size: int = 0) -> None:
        """`max_size` is the library's own bound, which counts for one file alone and is not asked."""
        self._file: IO[bytes] = io.BytesIO()
        self._held: int | None = 0  # bytes in memory; None once they are on the disk

    def write(self, data: Any) -> int:
        """Add to the file. Raises OSError."""
        if self._held is not None and not self._take(len(data)):
            self._move()
        return self._file.write(data)

    def _take(self, size: int) -> bool:
        """Whether memory has room for so much more, which is then this file's."""
        with Upload._lock:
            if self._held is None or Upload._all + size > MOST:
                return False
            Upload._all += size
            self._held += size
            return True

    def _give_back(self) -> None:
        with Upload._lock:
            Upload._all -= self._held or 0
            self._held = None

    def _move(self) -> None:
        moved: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open as long as this does
        at = self._file.tell()
        try:
            self._file.seek(0)
            shutil.copyfileobj(self._file, moved)
            moved.seek(at)
        except BaseException:
            moved.close()
            raise
        self._file = moved
        self._give_back()

    def read(self, size: int | None = -1) -> bytes:
        """As of any file."""
        return self._file.read(-1 if size is None else size)

    def readline(self, size: int | None = -1) -> bytes:
        """As of any file."""
        return self._file.readline(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._file.tell()

    def fileno(self) -> int:
        """Of a file on the disk, where it goes for that."""
        if self._held is not None:
            self._move()
        return self._file.fileno()

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Forget what it holds; also called when nobody has it any more."""
        with suppress(AttributeError):  # of one that was never made
            self._file.close()
            self._give_back()
        super().close()


def hold_in_memory() -> None:
    """Have the web server's library take these for its uploads."""
    from starlette import formparsers

    setattr(formparsers, LIBRARYS, Upload)
