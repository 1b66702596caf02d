"""Check a release against its manifest: every file, nothing more, nothing less.

`release.json` lists every file with its SHA-384 and size (docs/design.md, "The release folder"). The manifest's own
SHA-384 is the release's digest; it is the first thing measured.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ModifiedError
from ..plan.events import Difference
from . import hashing

NAME = "release.json"
MAX_BYTES = 64 * 1024 * 1024
SHOWN = 5


@dataclass(frozen=True)
class Entry:
    """One file of the manifest: its SHA-384 (hex) and size, and whether it is executable."""

    sha384: str
    size: int
    executable: bool | None = None


@dataclass(frozen=True)
class Manifest:
    """A parsed release.json. `digest` is the SHA-384 of its bytes, hex."""

    digest: str
    files: dict[str, Entry]
    document: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """A release whose files were compared with its manifest."""

    manifest: Manifest
    differences: list[Difference]


def load(release: Path) -> Manifest:
    """Read and check release.json. Raises ModifiedError."""
    path = release / NAME
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModifiedError(f"The release's manifest {path} cannot be read: {error.strerror}.") from error
    try:
        if len(data) > MAX_BYTES:
            raise ValueError("it is too large")
        document = json.loads(data, object_pairs_hook=_no_duplicates)
        files = _files(document)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModifiedError(f"The release's manifest {path} is broken: {error}. Unpack the release again.") from error
    return Manifest(hashlib.sha384(data).hexdigest(), files, document)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def _files(document: Any) -> dict[str, Entry]:
    entries = document["files"]
    found: dict[str, Entry] = {}
    for entry in entries:
        path, digest, size = entry["path"], entry["sha384"], entry["size"]
        _check_path(path)
        if not re.fullmatch(r"[0-9a-f]{96}", digest):
            raise ValueError(f"{path} has no SHA-384")
        if type(size) is not int or size < 0:
            raise ValueError(f"{path} has no size")
        if path in found:
            raise ValueError(f"{path} is listed twice")
        found[path] = Entry(digest, size, entry.get("executable"))
    if not found:
        raise ValueError("it lists no files")
    return found


def _check_path(path: Any) -> None:
    if not isinstance(path, str) or str(PurePosixPath(path)) != path or path.startswith("/"):
        raise ValueError(f"{path!r} is not a relative path")
    if any(part in ("..", ".") for part in PurePosixPath(path).parts) or path == NAME or "\0" in path:
        raise ValueError(f"{path!r} is not a path of a release")


def differences(release: Path, manifest: Manifest, check: Callable[[], None] = lambda: None) -> list[Difference]:
    """Everything in which the folder is not what the manifest says, sorted by path."""
    present, odd = _walk(release)
    found = [Difference(path, what, None) for path, what in odd.items() if path != NAME]
    found += [Difference(path, "missing", None) for path in manifest.files if path not in present and path not in odd]
    here = {release / path: path for path in present if path != NAME}
    total = sum(entry.size for entry in manifest.files.values())
    with hashing.progress("Checking the release", total, check) as tick:
        results = hashing.digest_files(here, "sha384", tick)
    for full, result in results.items():
        found += _compare(here[full], manifest.files.get(here[full]), result, present[here[full]])
    return sorted(found, key=lambda difference: difference.path)


def _compare(path: str, entry: Entry | None, result: hashing.Digest | OSError, mode: int) -> list[Difference]:
    if isinstance(result, OSError):
        return [Difference(path, f"unreadable ({result.strerror})", None)]
    if entry is None:
        return [Difference(path, "added", result.hex)]
    if result.hex != entry.sha384 or result.size != entry.size:
        return [Difference(path, "changed", result.hex)]
    if entry.executable is not None and bool(mode & 0o100) != entry.executable:
        return [Difference(path, "has another mode", result.hex)]
    return []


def _walk(release: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Regular files with their modes, and everything else that is not a folder with what it is."""
    files: dict[str, int] = {}
    odd: dict[str, str] = {}
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(release / folder))
        except OSError as error:
            odd[folder or "."] = f"unreadable ({error.strerror})"
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                pending.append(path)
            elif stat.S_ISREG(mode):
                files[path] = mode
            else:
                odd[path] = "a symbolic link" if stat.S_ISLNK(mode) else "not a regular file"
    return files, odd


def refuse(found: list[Difference]) -> None:
    """Raise ModifiedError naming the files, if there are any."""
    if not found:
        return
    names = "; ".join(f"{item.path} ({item.what})" for item in found[:SHOWN])
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise ModifiedError(
        f"This release is not what was built: {names}{more}. Unpack it again, "
        "or start it all the same with --allow-modified, which every client will see."
    )
