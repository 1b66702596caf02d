"""`make advisories`: known advisories that reach the pinned version of upstream without a row in docs/advisories.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import MismatchError

LIST, TABLE = "patches/advisories.txt", "docs/advisories.md"
STATUSES = ("patched", "mitigated", "absent", "unknown", "open")
_LINE = re.compile(r"((?:CVE|GHSA)-[0-9a-z-]+) (\?|\d+(?:\.\d+)*)")
FOUND = "## Found while reading"
_NAMELESS = re.compile(rf"\| (.*) \| ({'|'.join(STATUSES)}) \| `([^`]+)` \| `([^`]+)` \|")
_ROW = re.compile(r"\| (?P<id>(?:CVE|GHSA)-\S+) \|(?P<rest>.*)\|")


@dataclass(frozen=True)
class Row:
    """One advisory of the table; `patch` and `test` are empty where there is none."""

    identifier: str
    what: str
    status: str
    patch: str
    test: str


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def known(root: Path, version: str) -> list[str]:
    """The list's identifiers that reach `version`, in its order. Raises MismatchError for a line that is none."""
    found = []
    for number, line in enumerate((root / LIST).read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise MismatchError(
                f"{LIST}, line {number}: {line!r} is not an identifier and a version, such as CVE-2026-1 0.6.5."
            )
        if match[2] == "?" or _version(match[2]) > _version(version):
            found.append(match[1])
    return found


def table(root: Path) -> list[Row]:
    """The rows of docs/advisories.md that have an identifier. Raises MismatchError for one of another shape."""
    rows = []
    for line in (root / TABLE).read_text(encoding="utf-8").splitlines():
        match = _ROW.fullmatch(line)
        if match is None:
            continue
        cells = [cell.strip().strip("`") for cell in match["rest"].split("|")]
        if len(cells) != 4 or cells[1] not in STATUSES:
            raise MismatchError(
                f"{TABLE}: the row of {match['id']} is not: what, one of {', '.join(STATUSES)}, patch, test."
            )
        rows.append(Row(match["id"], *cells))
    return rows


def nameless(root: Path) -> list[Row]:
    """The rows of docs/advisories.md without an identifier: what was found while reading."""
    text = (root / TABLE).read_text(encoding="utf-8").partition(FOUND)[2]
    return [Row("", *match.groups()) for match in map(_NAMELESS.fullmatch, text.splitlines()) if match]


def missing(root: Path, version: str) -> list[str]:
    """The known advisories that reach `version` and have no row."""
    rows = {row.identifier for row in table(root)}
    return [identifier for identifier in known(root, version) if identifier not in rows]
