"""Debian packages, unpacked without dpkg and without running anything of them (deb(5): ar, with tar archives in it)."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from scripts.errors import MismatchError

_MERGED = ("bin", "sbin", "lib", "lib64")  # links into usr/ on every Debian since 12
_MAGIC = b"!<arch>\n"


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an ar archive. Raises MismatchError."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise MismatchError(f"{path} is no Debian package.")
        while header := file.read(60):
            name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
            content = file.read(size)
            if len(header) != 60 or header[58:] != b"`\n" or len(content) != size:
                raise MismatchError(f"{path} is cut off.")
            file.read(size % 2)
            yield name, content


def unpack(path: Path, out: Path, left_out: Sequence[re.Pattern[str]] = ()) -> None:
    """Write the package's files below `out`, with /bin, /sbin and /lib in usr/; what a pattern matches is left out.

    Modes are kept without set-user-id and set-group-id; owners and times are the caller's to decide.
    """
    data = next((content for name, content in members(path) if name.startswith("data.tar")), None)
    if data is None:
        raise MismatchError(f"{path} holds no data.tar.")
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        for member in opened:
            name = merged(member.name)
            if name and not any(pattern.search(name) for pattern in left_out):
                _write(opened, member, out / name, out)


def merged(name: str) -> str:
    """A member's name, relative, in the merged tree; "" for the root. Raises MismatchError where it leads outside."""
    path = PurePosixPath(name.removeprefix("./"))
    if path.is_absolute() or ".." in path.parts:
        raise MismatchError(f"A Debian package holds the path {name!r}, which leads out of its folder; it is not used.")
    parts = path.parts
    if parts and parts[0] in _MERGED:
        parts = ("usr", *parts)
    return "/".join(parts) if parts != (".",) else ""


def _write(opened: tarfile.TarFile, member: tarfile.TarInfo, place: Path, out: Path) -> None:
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        place.unlink(missing_ok=True)
        place.symlink_to(member.linkname)
    elif member.islnk():
        place.unlink(missing_ok=True)
        place.write_bytes((out / merged(member.linkname)).read_bytes())
        place.chmod(member.mode & 0o755)
    elif member.isfile():
        content = opened.extractfile(member)
        place.unlink(missing_ok=True)
        place.write_bytes(content.read() if content else b"")
        place.chmod(member.mode & 0o755)
    else:
        raise MismatchError(
            f"A Debian package holds {member.name!r}, which is no file, folder or link; it is not used."
        )
