"""Advisory file locks: two builds in one tree, or two stages of one, wait for each other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Nobody else holds this lock meanwhile. The kernel releases it when the process ends, however it ends."""
    with _held(path, fcntl.LOCK_EX):
        yield


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Others may hold it shared, nobody exclusively."""
    with _held(path, fcntl.LOCK_SH):
        yield


@contextmanager
def _held(path: Path, kind: int) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another build that works on {path.stem} ...", flush=True)
            fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)
