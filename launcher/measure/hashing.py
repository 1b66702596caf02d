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
from collections import deque
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
    """Hash one regular file; a symbolic link or anything else is an OSError. `tick` gets the bytes read so far."""
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
    """Hash files on all cores, biggest first so that no core waits for a late big one. Errors are answers too.

    What `tick` raises (in one of the threads) ends all of them and is raised here.
    """

    def size(path: Path) -> int:
        try:
            return os.lstat(path).st_size
        except OSError:
            return 0

    # A shared queue instead of a task a file: most files are small, and a task costs more than hashing them.
    waiting = deque(sorted(paths, key=size, reverse=True))
    found: dict[Path, Digest | OSError] = {}

    def work() -> None:
        while True:
            try:
                path = waiting.popleft()
            except IndexError:
                return
            try:
                found[path] = digest_file(path, algorithm, tick)
            except OSError as error:
                found[path] = error
            except BaseException:
                waiting.clear()
                raise

    count = max(1, min(os.cpu_count() or 1, len(waiting)))
    with ThreadPoolExecutor(count) as pool:
        for task in [pool.submit(work) for _ in range(count)]:
            task.result()
    return found


@contextmanager
def progress(what: str, total: int, check: Callable[[], None]) -> Iterator[Tick]:
    """A tick that draws a bar for long work on a terminal, and in any case lets `check` end it (a signal)."""
    if total < BAR_FROM_BYTES or not sys.stderr.isatty():
        yield lambda count: check()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)

        def tick(count: int) -> None:
            check()
            bar.advance(task, count)

        yield tick
