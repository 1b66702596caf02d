"""Folders and files: walked, copied, deleted, and written so that they are whole or not there."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

IGNORED = frozenset({"__pycache__", "node_modules", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"})
"""Names that tools leave in sources, and that no result may depend on."""


class Found(NamedTuple):
    """One entry of a tree: its name from the tree's root (`/` between, one at the end of a folder), path and state."""

    name: str
    path: str
    state: os.stat_result


def walk(folder: str | Path, ignored: frozenset[str] = frozenset(), prefix: str = "") -> Iterator[Found]:
    """Everything below `folder`, links not followed, in no order; entries named in `ignored` are left out."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in ignored:
                continue
            state = entry.stat(follow_symlinks=False)
            name = prefix + entry.name
            if stat.S_ISDIR(state.st_mode):
                yield Found(name + "/", entry.path, state)
                yield from walk(entry.path, ignored, name + "/")
            else:
                yield Found(name, entry.path, state)


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path to write to; renamed to `path` at the end, deleted if anything goes wrong meanwhile."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or, whole, the new one, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as fresh, fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync(folder: Path) -> None:
    """Everything written to the folder's file system reaches the disk: one call instead of an fsync a file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Delete a file or a whole folder, write-protected ones included; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        for found in walk(path):  # a folder is yielded before it is entered
            if found.name.endswith("/"):
                Path(found.path).chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy_tree(source: Path, out: Path, left_out: Iterable[str] = (), caches: bool = False) -> None:
    """Copy a folder or file as content only: modes 0644 or 0755, links kept, no times or owners.

    Entries named in `left_out` stay behind; so do the caches that tools leave in sources, unless `caches`.
    """
    ignored = frozenset(left_out) | (frozenset() if caches else IGNORED)
    if source.is_symlink():
        out.symlink_to(source.readlink())
    elif source.is_dir():
        out.mkdir(parents=True, exist_ok=True)
        out.chmod(0o755)
        for entry in sorted(source.iterdir()):
            if entry.name not in ignored:
                copy_tree(entry, out / entry.name, left_out, caches)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out)
        out.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
