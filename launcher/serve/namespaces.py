"""The calls of the C library by which a process gets namespaces of its own (namespaces(7)), with its numbers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x08000000, 0x20000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def checked(result: int) -> None:
    """Raise OSError where a call of the C library failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def apart(work: Callable[[], T]) -> T:
    """Do `work` in a thread that ends with it: the namespaces that it enters are that thread's alone."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()
