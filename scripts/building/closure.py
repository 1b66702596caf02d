"""Which of our own source files a stage's module consists of: itself and, transitively, all that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
"""The folder from which our packages are imported."""

NEUTRAL = frozenset(
    {
        "scripts/errors.py",  # sentences and exit codes
        "scripts/building/locking.py",  # who waits for whom
        "scripts/machine/capacity.py",  # refuses a stage, and changes nothing of it
    }
)
"""Files that cannot change what a stage writes. Whatever else is imported counts, lest something be forgotten."""


def closure(module: Path, top: Path = TOP) -> list[Path]:
    """The files of `module` and of what it imports from below `top`, sorted; imports inside of functions count too."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = waiting.pop()
        if path in found or (path.is_relative_to(top) and path.relative_to(top).as_posix() in NEUTRAL):
            continue
        found.add(path)
        waiting.extend(_imported(path, top))
    return sorted(found)


@cache
def _imported(path: Path, top: Path) -> tuple[Path, ...]:
    package = path.parent.relative_to(top).parts if path.is_relative_to(top) else ()
    names = _names(ast.parse(path.read_bytes(), str(path)), package)
    return tuple(file for name in names for file in _files(name, top))


def _names(tree: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The dotted names that are imported, as parts; those after `from x import` may be modules, and may not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = (*start, *(node.module.split(".") if node.module else ()))
            yield base
            yield from ((*base, alias.name) for alias in node.names)


def _files(name: tuple[str, ...], top: Path) -> Iterator[Path]:
    """The source files that importing `name` runs, as far as they are ours: its packages, and itself."""
    for length in range(1, len(name) + 1):
        place = top.joinpath(*name[:length])
        if (place / "__init__.py").is_file():
            yield place / "__init__.py"
        elif place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")
