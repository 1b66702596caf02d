"""The pinned list of upstream's files: what any source, whatever it is, must hold byte for byte.

`upstream-files.sha256` is made from the pinned source distribution by `python -m scripts list-upstream`,
and the fetch stage compares the two each time that distribution is the source. Its text form: a line with a folder
and a slash, then `<SHA-256> <name>` for each of that folder's files; ` *` instead of the space marks an executable one.
PKG-INFO, which the packaging adds and no checkout has, is left out.
"""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scripts.building.files import walk
from scripts.building.fingerprint import file_sha256
from scripts.errors import MismatchError, PinError
from scripts.sources.gitcmd import INIT, git

LIST = "scripts/sources/upstream-files.sha256"
PACKAGING = "PKG-INFO"
SHOWN = 20  # differences shown of each kind
_LINE = re.compile(r"([0-9a-f]{64}) (\*?)([^/\n]+)")


@dataclass(frozen=True)
class Entry:
    """One file of upstream's: its digest, and whether it can be executed."""

    sha256: str
    executable: bool


@dataclass(frozen=True)
class Differences:
    """How a tree departs from the list, by path."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    extra: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.extra)

    def __str__(self) -> str:
        lines: list[str] = []
        for kind in ("missing", "changed", "extra"):
            paths: tuple[str, ...] = getattr(self, kind)
            lines += [f"    {kind}: {path}" for path in paths[:SHOWN]]
            if len(paths) > SHOWN:
                lines.append(f"    {kind}: and {len(paths) - SHOWN} more")
        return "\n".join(lines)


def read(path: Path) -> dict[str, Entry]:
    """The list, path -> entry; PinError names a malformed line."""
    found: dict[str, Entry] = {}
    folder = ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise PinError(
            f"{path} is missing; `python -m scripts list-upstream` makes it from the pinned source."
        ) from None
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match:
            name = folder + match[3]
            if name in found:
                raise PinError(f"{path.name}, line {number}: {name} is listed twice.")
            found[name] = Entry(match[1], bool(match[2]))
        elif line.endswith("/") and ".." not in line.split("/") and not line.startswith("/"):
            folder = "" if line == "./" else line
        elif line and not line.startswith("#"):
            raise PinError(f"{path.name}, line {number} is neither a folder nor a file's hash: {line[:80]!r}.")
    if not found:
        raise PinError(f"{path.name} lists no file.")
    return found


def write(entries: Mapping[str, Entry], comment: str) -> str:
    """The text form."""
    lines = [f"# {comment}"]
    folder = None
    for path in sorted(entries, key=lambda name: (str(PurePosixPath(name).parent), name)):
        parent = f"{PurePosixPath(path).parent}/"
        if parent != folder:
            folder = parent
            lines.append(parent)
        entry = entries[path]
        lines.append(f"{entry.sha256} {'*' if entry.executable else ''}{PurePosixPath(path).name}")
    return "\n".join(lines) + "\n"


def scan(tree: Path) -> dict[str, Entry]:
    """All the files a freshly unpacked source distribution holds."""
    names = sorted((found.name for found in walk(tree) if stat.S_ISREG(found.state.st_mode)), key=PurePosixPath)
    return {name: _entry(tree / name) for name in names if name != PACKAGING}


def compare(tree: Path, listed: Mapping[str, Entry]) -> Differences:
    """Hold a tree against the list.

    Files that the tree's .gitignore excludes (node_modules, caches, secrets of a working copy) and that are not
    listed are no difference: the source distribution leaves them out by the same rule, and they are never copied.
    """
    missing = tuple(name for name in listed if not _is_file(tree / name))
    gone = set(missing)
    changed = tuple(
        name for name, entry in listed.items() if name not in gone and file_sha256(tree / name) != entry.sha256
    )
    extra = tuple(sorted(_unignored(tree) - listed.keys() - {PACKAGING}))
    return Differences(missing, changed, extra)


def take(tree: Path, listed: Mapping[str, Entry], out: Path, source: str) -> None:
    """Copy the listed files, and only those, after a check that leaves no difference; MismatchError lists them."""
    differences = compare(tree, listed)
    if differences:
        raise MismatchError(f"{source} is not the pinned Open WebUI source ({LIST}):\n{differences}")
    for name, entry in listed.items():
        place = out / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / name, place)
        place.chmod(0o755 if entry.executable else 0o644)


def _entry(path: Path) -> Entry:
    return Entry(file_sha256(path), bool(path.stat().st_mode & 0o100))


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _unignored(tree: Path) -> set[str]:
    """Files and links under `tree` that its .gitignore files do not exclude, asked of git with an empty index."""
    with tempfile.TemporaryDirectory() as empty:
        git(INIT, Path(empty))
        place = [f"--git-dir={empty}/.git", f"--work-tree={tree}"]
        listing = git([*place, "ls-files", "-z", "--others", "--exclude-standard", "--", "."], tree)
    # A folder with a repository of its own is listed with a slash, as one entry; a .git of the tree's own is not.
    return {name for name in listing.split("\0") if name and name != ".git/"}
