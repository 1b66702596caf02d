"""Unpacking of source archives: regular files only, never outside the folder."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from scripts.errors import MismatchError

Member = tuple[str, bool, IO[bytes]]  # path, executable, content


def unpack(archive: Path, out: Path) -> Path:
    """Unpack a tar (any compression) or zip archive and return the tree: the archive's only top folder, or `out`.

    Links and devices are left out (the comparison with the pinned list then misses them); a path that leaves the
    folder is refused.
    """
    try:
        with _members(archive) as members:
            for name, executable, content in members:
                place = out / _safe(archive, name)
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    shutil.copyfileobj(content, file)
                place.chmod(0o755 if executable else 0o644)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise MismatchError(f"{archive} is no whole tar or zip archive: {error}.") from None
    top = list(out.iterdir()) if out.is_dir() else []
    return top[0] if len(top) == 1 and top[0].is_dir() else out


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(opened)
    else:
        with tarfile.open(archive) as opened_tar:
            yield _tar_members(opened_tar)


def _tar_members(opened: tarfile.TarFile) -> Iterator[Member]:
    for member in opened:
        content = opened.extractfile(member) if member.isfile() else None
        if content is not None:
            yield member.name, bool(member.mode & 0o100), content


def _zip_members(opened: zipfile.ZipFile) -> Iterator[Member]:
    for member in opened.infolist():
        mode = member.external_attr >> 16
        if not member.is_dir() and mode & 0o170000 in (0, 0o100000):
            with opened.open(member) as content:
                yield member.filename, bool(mode & 0o100), content


def _safe(archive: Path, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise MismatchError(f"{archive} holds a path that leads out of its folder: {name!r}; it is not used.")
    return str(path)
