"""The patch queue's form, checked without upstream's source: `patches/series`, `*.patch`, `files/`.

A patch starts with a header,

    What: one line or more,
      continued by indented lines
    Why: ...
    Upstream-status: ...
    Drop-when: ...
    ---

then a unified diff as git writes it. It hooks into upstream's files; new files lie in `patches/files/`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from scripts.building.files import IGNORED, walk
from scripts.errors import PatchError
from scripts.sources.gitcmd import attempt

HEADERS = ("What", "Why", "Upstream-status", "Drop-when")
_HEADER = re.compile(r"([A-Z][A-Za-z-]*):[ \t]*(.*)")
_UNWANTED = re.compile(
    r"^(new file mode|deleted file mode|rename from|copy from|old mode|GIT binary patch|Binary files)", re.M
)


@dataclass(frozen=True)
class Patch:
    """One patch of the queue: its header and the files that it changes."""

    name: str
    path: Path
    header: dict[str, str]
    files: tuple[str, ...]  # of upstream, which it changes


@dataclass(frozen=True)
class Queue:
    """`patches/`, read and checked."""

    folder: Path
    patches: tuple[Patch, ...]  # in the order of the series
    new_files: tuple[str, ...]  # under files/, sorted


def series(folder: Path) -> list[str]:
    """The names in `patches/series`, in order; blank lines and lines that start with # are skipped."""
    path = folder / "series"
    if not path.exists():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def new_files(folder: Path) -> list[str]:
    """What `patches/files/` adds to upstream's tree. Python's caches do not count."""
    files = folder / "files"
    return sorted(found.name for found in walk(files, IGNORED) if not found.name.endswith("/"))


def read(folder: Path, upstream: Collection[str]) -> Queue:
    """Check the whole queue against the list of upstream's files; PatchError tells every fault found."""
    names = series(folder)
    faults = _series_faults(folder, names)
    patches: list[Patch] = []
    for name in dict.fromkeys(names):
        if (folder / name).is_file():
            try:
                patches.append(_patch(folder / name, upstream))
            except PatchError as error:
                faults.append(str(error))
    added = new_files(folder)
    faults += _file_faults(folder, added, upstream)
    if faults:
        raise PatchError("The patch queue is not in order:" + "".join(f"\n    {fault}" for fault in faults))
    return Queue(folder, tuple(patches), tuple(added))


def _series_faults(folder: Path, names: list[str]) -> list[str]:
    faults = [f"{name}: listed more than once in series" for name in sorted({n for n in names if names.count(n) > 1})]
    for name in dict.fromkeys(names):
        if "/" in name or not name.endswith(".patch"):
            faults.append(f"{name}: not a bare name that ends with .patch")
        elif not (folder / name).is_file():
            faults.append(f"{name}: listed in series, but the file is missing")
    unlisted = sorted(path.name for path in folder.glob("*.patch") if path.name not in names)
    return faults + [f"{name}: not listed in series" for name in unlisted]


def _file_faults(folder: Path, added: list[str], upstream: Collection[str]) -> list[str]:
    faults = [f"files/{name}: upstream has that file; change it with a patch" for name in added if name in upstream]
    folders = {str(parent) for name in upstream for parent in Path(name).parents}
    faults += [f"files/{name}: upstream has a folder of that name" for name in added if name in folders]
    for name in added:
        if (folder / "files" / name).is_symlink():
            faults.append(f"files/{name}: a link; only regular files enter the build")
        faults += [f"files/{name}: {up} is a file upstream" for up in map(str, Path(name).parents) if up in upstream]
    return faults


def _patch(path: Path, upstream: Collection[str]) -> Patch:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise PatchError(f"{path.name}: not UTF-8 at byte {error.start}") from None
    head, separator, diff = text.partition("\n---\n")
    if not separator:
        raise PatchError(f"{path.name}: no header; it starts with {', '.join(h + ':' for h in HEADERS)} and a line ---")
    header = parse_header(path.name, head)
    if not diff.startswith("diff --git "):
        raise PatchError(f"{path.name}: what follows the header's --- does not start with 'diff --git'")
    unwanted = _UNWANTED.search(diff)
    if unwanted:
        raise PatchError(
            f"{path.name}: '{unwanted[1]}' is not allowed; a patch changes text of upstream's files, new files lie in "
            "patches/files/"
        )
    files = _touched(path)
    if not files:
        raise PatchError(f"{path.name}: it changes no file")
    for name in files:
        if name not in upstream:
            raise PatchError(f"{path.name}: upstream has no file {name}")
    return Patch(path.name, path, header, files)


def parse_header(name: str, head: str) -> dict[str, str]:
    """The four fields, none missing, none empty, none unknown."""
    found: dict[str, str] = {}
    last = ""
    for number, line in enumerate(head.splitlines(), 1):
        match = _HEADER.fullmatch(line)
        if match and match[1] in HEADERS and match[1] not in found:
            last = match[1]
            found[last] = match[2].strip()
        elif last and line[:1] in (" ", "\t") and line.strip():
            found[last] = f"{found[last]} {line.strip()}".strip()
        else:
            raise PatchError(f"{name}: header line {number} is not understood: {line[:80]!r}")
    for key in HEADERS:
        if not found.get(key):
            raise PatchError(f"{name}: the header lacks '{key}:'")
    return found


def _touched(path: Path) -> tuple[str, ...]:
    """The files a patch changes, as git parses it; strict about line counts."""
    status, output, errors = attempt(["apply", "--numstat", "-z", str(path)], path.parent, alone=True)
    if status:
        reason = errors.strip().removeprefix("error: ").splitlines()
        raise PatchError(f"{path.name}: git cannot parse it: {reason[0] if reason else 'no reason given'}")
    return tuple(entry.split("\t", 2)[2] for entry in output.split("\0") if entry)
