"""Compares the release that was built here with a published one, file by file."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from scripts.config import Config
from scripts.errors import MismatchError, MissingError, UsageError

SHOWN = 40


def published_manifest(source: Path) -> bytes:
    """The manifest of a published release: a release.json, a release folder, or its archive."""
    if source.is_dir():
        source = source / "release.json"
    if not source.is_file():
        raise UsageError(f"{source} is no release.json, release folder or release archive.")
    if tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            for member in archive:
                if member.name.count("/") == 1 and member.name.endswith("/release.json"):
                    content = archive.extractfile(member)
                    assert content is not None
                    return content.read()
        raise UsageError(f"{source} holds no release.json.")
    return source.read_bytes()


def compare(cfg: Config, source: Path) -> str:
    """One sentence if both manifests are the same bytes; MismatchError with every difference if not."""
    ours = cfg.release / "release.json"
    if not ours.is_file():
        raise MissingError(f"There is no release in {cfg.release}; run `make build` first.")
    here, there = ours.read_bytes(), published_manifest(source)
    if here == there:
        count = len(json.loads(here)["files"])
        return f"The same: all {count} files of {cfg.release.name} are, byte for byte, those of {source}."
    try:
        lines = differences(json.loads(there), json.loads(here))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{source} is no manifest of a release: {error}.") from None
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    raise MismatchError("\n    ".join([f"This release differs from {source}:", *lines[:SHOWN], *more]))


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """What the published manifest says, and what was built here; what went in first, since it explains the rest."""
    found = [
        f"{name}: published {json.dumps(there.get(name))}, here {json.dumps(here.get(name))}"
        for name in sorted((there.keys() | here.keys()) - {"files"})
        if there.get(name) != here.get(name)
    ]
    theirs, ours = ({entry["path"]: entry for entry in document["files"]} for document in (there, here))
    for path in sorted(theirs.keys() | ours.keys()):
        if path not in ours:
            found.append(f"{path}: only in the published release")
        elif path not in theirs:
            found.append(f"{path}: only here")
        elif theirs[path] != ours[path]:
            found.append(f"{path}: published {_brief(theirs[path])}, here {_brief(ours[path])}")
    return found or ["the same content, written differently: one of the two is not canonical JSON"]


def _brief(entry: dict[str, Any]) -> str:
    mode = " executable" if entry.get("executable") else ""
    return f"{entry['size']} bytes{mode}, SHA-384 {entry['sha384'][:16]}..."
