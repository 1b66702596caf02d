"""The image's own units, read as systemd reads them."""

from __future__ import annotations

import configparser

from tests.image.program import FOLDER

UNITS = FOLDER.parents[2] / "etc" / "systemd" / "system"


def unit(*names: str) -> configparser.RawConfigParser:
    """One of them, drop-ins after it."""
    parsed = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read([UNITS / name for name in names])
    return parsed
