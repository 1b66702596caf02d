"""Hash many files at once, at the speed of the disk or of all cores, in constant memory.

Files are hashed side by side by threads: hashlib and read() release the interpreter's lock, so that every core works.
One file is one stream (SHA-2 has no parallel form), so a single big file is as fast as one core.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Large enough that the lock is taken rarely, small enough for the cache of a core.
CHUNK = 1024 * 1024
# A bar is worth drawing from here on: below, it is over before it can be read.
BAR_FROM_BYTES = 2 * 1024**3

Tick = Callable[[int], None]


@dataclass(frozen=True)
class Digest:
    """A file's digest (lower-case hex) and its size in bytes."""

    hex: str
    size: int


_local = threading.local()


def _buffer() -> memoryview:
    if not hasattr(_local, "buffer"):
        _local.buffer = memoryview(bytearray(CHUNK))
    buffer: memoryview = _local.buffer
    return buffer


def digest_file(path: Path, algorithm: str, tick: Tick | None = None) -> Digest:
    """Hash one regular file; a symbolic link or anything else is an OSError. ``tick`` gets the bytes read so far."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return digest_handle(handle, algorithm, tick)
    finally:
        os.close(handle)


def digest_handle(handle: int, algorithm: str, tick: Tick | None = None) -> Digest:
    """Hash what an open file holds, from its beginning."""
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(0, "it is not a regular file")
    state, size, buffer = hashlib.new(algorithm), 0, _buffer()
    while count := os.readv(handle, [buffer]):
        state.update(buffer[:count])
        size += count
        if tick is not None:
            tick(count)
    return Digest(state.hexdigest(), size)


def digest_files(paths: Iterable[Path], algorithm: str, tick: Tick | None = None) -> dict[Path, Digest | OSError]:
    """Hash files on all cores, biggest first so that no core waits for a late big one. Errors are answers too."""

    def one(path: Path) -> Digest | OSError:
        try:
            return digest_file(path, algorithm, tick)
        except OSError as error:
            return error

    def size(path: Path) -> int:
        try:
            return path.lstat().st_size
        except OSError:
            return 0

    ordered = sorted(paths, key=size, reverse=True)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            return dict(zip(ordered, pool.map(one, ordered), strict=True))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def progress(what: str, total: int, check: Callable[[], None]) -> Iterator[Tick]:
    """A tick that draws a bar for long work on a terminal, and in any case lets ``check`` end it (a signal)."""
    if total < BAR_FROM_BYTES or not sys.stderr.isatty():
        yield lambda count: check()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)

        def tick(count: int) -> None:
            check()
            bar.advance(task, count)

        yield tick
