"""Compile what the image's Python imports, run by that Python itself: `compile_tree.py TREE OUT PART PARTS`.

TREE: the root file system's tree; OUT: where the bytecode goes, laid out as under a `pycache_prefix`. One of PARTS
shares of the modules is compiled, always in the same order: bytes depend on what a process compiled before. A file that
is no Python is left out, as nothing can import it.
"""

from __future__ import annotations

import os
import py_compile
import sys
from importlib.util import cache_from_source

FOLDERS = ("usr/lib/python3.11", "usr/lib/open-webui-tdx", "opt")
LEFT_OUT = frozenset({"test", "tests", "idlelib", "turtledemo"})


def modules(tree: str) -> list[str]:
    """Paths below the tree, sorted; links are not followed."""
    found = []
    for start in FOLDERS:
        for folder, inner, files in os.walk(f"{tree}/{start}"):
            inner[:] = sorted(set(inner) - LEFT_OUT)
            found += [f"{folder[len(tree) :]}/{name}" for name in files if name.endswith(".py")]
    return sorted(found)


def main(tree: str, out: str, part: str, parts: str) -> None:
    """Compile one share."""
    sys.pycache_prefix = out
    for path in modules(tree)[int(part) :: int(parts)]:
        try:
            # The source is on the same verified file system: it cannot have changed since, and need not be read.
            py_compile.compile(
                tree + path,
                cache_from_source(path),
                path,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, UnicodeDecodeError):
            print(f"{path} is no Python")


if __name__ == "__main__":
    main(*sys.argv[1:])
