"""`upstream.toml`: every external input of the build, by version, file name, SHA-256 and size.

The loader refuses what it does not know, by name: a pin nobody checks is not a pin.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from scripts.errors import PinError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class Pin:
    """One file of the Python package index."""

    project: str
    version: str
    filename: str
    sha256: str  # 64 lower-case hex digits
    size: int  # bytes
    why: str


@dataclass(frozen=True)
class Release:
    """What is built, and of what."""

    version: str  # of this distribution
    upstream_version: str
    upstream_tag: str
    upstream_git: str
    exclude_newer: str  # ISO 8601 date: no locked Python package is younger


@dataclass(frozen=True)
class Pins:
    """`upstream.toml`, read and checked."""

    release: Release
    files: Mapping[str, Pin]

    def __getitem__(self, name: str) -> Pin:
        """The pin of that name in `[files.NAME]`."""
        try:
            return self.files[name]
        except KeyError:
            raise PinError(f"upstream.toml has no [files.{name}]; it has: {', '.join(self.files)}.") from None


def load(path: Path) -> Pins:
    """Read and check `upstream.toml`; PinError names the table and key at fault."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PinError(f"{path} is missing; it pins every input of the build.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PinError(f"{path} is not TOML: {error}.") from None
    unknown = set(document) - {"release", "files"}
    if unknown:
        raise PinError(
            f"{path.name}: unknown table or key {sorted(unknown)[0]!r}; known are [release] and [files.NAME]."
        )
    release = Release(**_strings(path.name, "release", document.get("release"), Release))
    tables = document.get("files")
    if not isinstance(tables, dict) or not tables:
        raise PinError(f"{path.name}: there is no [files.NAME] table.")
    return Pins(release, {name: _pin(path.name, name, table) for name, table in tables.items()})


def _pin(file: str, name: str, table: Any) -> Pin:
    where = f"files.{name}"
    size = table.get("size") if isinstance(table, dict) else None
    values: dict[str, Any] = dict(_strings(file, where, table, Pin))
    if type(size) is not int or size <= 0:
        raise PinError(f"{file}: [{where}] size must be a positive whole number of bytes, not {size!r}.")
    if not _SHA256.fullmatch(values["sha256"]):
        raise PinError(f"{file}: [{where}] sha256 must be 64 lower-case hex digits, not {values['sha256']!r}.")
    if not _FILENAME.fullmatch(values["filename"]):
        raise PinError(f"{file}: [{where}] filename must be a bare file name, not {values['filename']!r}.")
    if values["version"] not in values["filename"]:
        raise PinError(f"{file}: [{where}] filename {values['filename']!r} is not of version {values['version']!r}.")
    return Pin(size=size, **values)


def _strings(file: str, where: str, table: Any, shape: type) -> dict[str, str]:
    """The text members of `shape` from `table`, nothing missing, nothing unknown."""
    if not isinstance(table, dict):
        raise PinError(f"{file}: [{where}] is missing or not a table.")
    known = {field.name: field.type for field in fields(shape)}
    for key in table:
        if key not in known:
            raise PinError(f"{file}: [{where}] has an unknown key {key!r}; known are {', '.join(known)}.")
    for key in known:
        if key not in table:
            raise PinError(f"{file}: [{where}] lacks {key!r}; every entry needs {', '.join(known)}.")
    texts = {key: table[key] for key in known if known[key] in ("str", str)}
    for key, value in texts.items():
        if not isinstance(value, str) or not value.strip():
            raise PinError(f"{file}: [{where}] {key} must be a text that is not empty, not {value!r}.")
    return texts
