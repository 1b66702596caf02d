"""Applies the queue to a tree: strictly, by git, in a repository of its own, with the result checked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.building.files import remove
from scripts.building.fingerprint import file_sha256
from scripts.errors import PatchError
from scripts.patches.patchqueue import Patch, Queue
from scripts.sources.gitcmd import INIT, attempt, git

_REJECTS = re.compile(r"^Applying patch (?P<file>.+) with \d+ rejects?\.\.\.$")
_HUNK = re.compile(r"^Rejected hunk #(\d+)\.$")
_CHECKING = re.compile(r"^Checking patch (.+)\.\.\.$")
_OFFSET = re.compile(r"^Hunk #(\d+) succeeded at (\d+) \(offset (-?\d+) lines?\)\.$")


@dataclass(frozen=True)
class Outcome:
    """How a patch went: nothing in `failures` means that it applied in full."""

    patch: str
    failures: tuple[str, ...]  # one text a file: which hunks, or why not at all
    offsets: tuple[str, ...]  # hunks that fit, but some lines away


def apply_queue(queue: Queue, tree: Path) -> list[Outcome]:
    """Apply all patches to `tree`, then add the new files. PatchError says what fails first: patch, file and hunk."""
    git(INIT, tree)
    try:
        outcomes = [_apply_or_raise(patch, tree) for patch in queue.patches]
    finally:
        remove(tree / ".git")
    add_files(queue, tree)
    return outcomes


def _apply_or_raise(patch: Patch, tree: Path) -> Outcome:
    outcome = apply(patch, tree)
    if outcome.failures:
        told = "".join(f"\n    {failure}" for failure in outcome.failures)
        raise PatchError(
            f"Patch {patch.name} does not apply; nothing of it is kept:{told}\n"
            f"To bring it up to date: `make edit PATCH={patch.name}` (docs/patches.md)."
        )
    return outcome


def apply(patch: Patch, tree: Path) -> Outcome:
    """Apply one patch to a tree that is a repository of its own. What cannot be applied is left out and told."""
    before = {name: _state(tree / name) for name in patch.files}
    status, _, told = attempt(["apply", "--check", "--verbose", str(patch.path)], tree)
    if status:
        return Outcome(patch.name, _apply_in_part(patch, tree), ())
    git(["apply", "--whitespace=nowarn", str(patch.path)], tree)
    # git skips, and calls it success, what lies in a folder that a repository around ignores: look for ourselves.
    same = [name for name in patch.files if _state(tree / name) == before[name]]
    if same:
        return Outcome(
            patch.name, tuple(f"{name}: git reports success, but the file did not change" for name in same), ()
        )
    return Outcome(patch.name, (), offsets(told))


def _apply_in_part(patch: Patch, tree: Path) -> tuple[str, ...]:
    """Apply the hunks that fit, and say which do not."""
    _, output, errors = attempt(["apply", "--reject", "--verbose", str(patch.path)], tree)
    told = (output + errors).splitlines()
    for rejected in tree.rglob("*.rej"):
        rejected.unlink()
    return rejections(told) or tuple(line.removeprefix("error: ") for line in told if line.startswith("error: "))


def rejections(told: Sequence[str]) -> tuple[str, ...]:
    """Read what `git apply --reject --verbose` says: the hunks that failed, file by file."""
    failed: dict[str, list[str]] = {}
    file = ""
    for line in told:
        start, hunk = _REJECTS.match(line), _HUNK.match(line)
        if start:
            file = start["file"]
        elif hunk and file:
            failed.setdefault(file, []).append(f"#{hunk[1]}")
    found = [f"{name}: hunk {', '.join(hunks)} does not fit" for name, hunks in failed.items()]
    absent = re.compile(r"^error: (?P<file>[^:]+): (No such file or directory|does not exist in index)$")
    missing = (absent.match(line) for line in told)
    return tuple(found + [f"{match['file']}: there is no such file" for match in missing if match])


def offsets(told: str) -> tuple[str, ...]:
    """Read what `git apply --check --verbose` says: the hunks that fit, but not where the patch says."""
    found: list[str] = []
    file = ""
    for line in told.splitlines():
        start, moved = _CHECKING.match(line), _OFFSET.match(line)
        if start:
            file = start[1]
        elif moved:
            found.append(f"{file}: hunk #{moved[1]} fits {moved[3]} line(s) away, at {moved[2]}")
    return tuple(found)


def add_files(queue: Queue, tree: Path) -> None:
    """Copy `patches/files/`; PatchError if one is there already."""
    for name in queue.new_files:
        place = tree / name
        if place.exists():
            raise PatchError(
                f"patches/files/{name} collides with a file of the same name upstream; change it with a patch."
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        source = queue.folder / "files" / name
        shutil.copyfile(source, place)
        place.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _state(path: Path) -> str:
    return file_sha256(path) if path.is_file() else "absent"
