"""Kernel modules for the initrd: those that image/modules.txt names and what they need, in the order to load them."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from scripts.errors import MissingError

_DEPENDS = re.compile(rb"(?:^|\0)depends=([^\0]*)\0")


def names(text: str) -> list[str]:
    """The names in a list of modules: one a line, `#` begins a comment."""
    return [name for line in text.splitlines() if (name := line.split("#")[0].strip())]


def order(wanted: Iterable[str], tree: Path) -> list[Path]:
    """The modules' files (`.ko.xz`) below a kernel's folder, each after those it depends on. Raises MissingError."""
    files = {path.name.split(".")[0].replace("-", "_"): path for path in sorted(tree.rglob("*.ko.xz"))}
    found: dict[str, Path] = {}
    for name in wanted:
        _add(name.replace("-", "_"), files, found, name)
    return list(found.values())


def _add(name: str, files: Mapping[str, Path], found: dict[str, Path], asked: str) -> None:
    if name in found:
        return
    if name not in files:
        raise MissingError(f"The kernel has no module {name}, which image/modules.txt needs for {asked}.")
    for needed in depends(lzma.decompress(files[name].read_bytes())):
        _add(needed, files, found, asked)
    found[name] = files[name]


def depends(module: bytes) -> list[str]:
    """The names that a module's `.modinfo` says it depends on."""
    found = _DEPENDS.search(module)
    return [name.decode().replace("-", "_") for name in found[1].split(b",") if name] if found else []
