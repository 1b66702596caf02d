"""What a stage's inputs and outputs contain, as digests; a cache of file states keeps an idle check fast."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from scripts.building.files import beside, walk

_SETTLED_NS = 2_000_000_000  # a file changed later than this before we looked may change again within its timestamp


class StatCache:
    """SHA-256 of files, remembered by size, times and inode in one small JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        try:
            self._known: dict[str, list[object]] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def sha256(self, path: str, state: os.stat_result) -> str:
        """The digest of the regular file at `path`, hex."""
        key = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        known = self._known.get(path)
        if known is not None and known[:4] == key:
            return str(known[4])
        digest = file_sha256(path)
        if time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > _SETTLED_NS:
            self._known[path] = [*key, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Keep what was learnt; losing it costs time only, so a refusal is no error."""
        if not self._changed:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with beside(self._path) as fresh:
                fresh.write_text(json.dumps(self._known), encoding="utf-8")


def file_sha256(path: str | Path) -> str:
    """The digest of one file, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(path: Path, cache: StatCache | None = None, ignored: frozenset[str] = frozenset()) -> str:
    """What `path` holds: a file's content and executable bit, a link's target, or a folder's whole tree.

    Names, contents, links and executable bits count; times, owners and other permissions do not.
    "absent" if there is nothing.
    """
    try:
        state = os.lstat(path)
    except FileNotFoundError:
        return "absent"
    if not stat.S_ISDIR(state.st_mode):
        return _entry(str(path), state, cache)
    total = hashlib.sha256()
    for name, entry_path, entry_state in sorted(walk(path, ignored)):
        total.update(f"{name}\0{_entry(entry_path, entry_state, cache)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _entry(path: str, state: os.stat_result, cache: StatCache | None) -> str:
    if stat.S_ISLNK(state.st_mode):
        return f"link:{Path(path).readlink()}"
    if stat.S_ISDIR(state.st_mode):
        return "folder"
    content = cache.sha256(path, state) if cache else file_sha256(path)
    return content + ("*" if state.st_mode & stat.S_IXUSR else "")
