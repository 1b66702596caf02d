"""Measure the Python that runs the release: it comes from the machine, not from the release."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import sysconfig
from pathlib import Path

from ..errors import ModifiedError, reason
from . import hashing

# What Python reads as code. Bytecode is left out because it is never used (see DataDir.bytecode), and packages that
# nothing imports because they would double the time.
SUFFIXES = (".py", ".so", ".zip")
SKIPPED = frozenset({"__pycache__", "site-packages", "dist-packages", "test", "idlelib", "turtledemo"})


def standard_library() -> list[str]:
    """Every file of the standard library that is imported from, resolved and sorted."""
    found: set[str] = set()
    for name in ("stdlib", "platstdlib"):
        for folder, folders, files in os.walk(os.path.realpath(sysconfig.get_path(name))):
            folders[:] = [each for each in folders if each not in SKIPPED]
            found.update(os.path.realpath(f"{folder}/{each}") for each in files if each.endswith(SUFFIXES))
    return sorted(found)


def shared_library() -> Path | None:
    """libpython, where the interpreter is only a stub around it."""
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        return None
    name, folder = str(sysconfig.get_config_var("INSTSONAME")), str(sysconfig.get_config_var("LIBDIR"))
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(f"/{name}"):
            return Path(line[line.index("/") :])
    return Path(folder) / name


def measure() -> dict[str, str]:
    """The ``python`` event: version, SHA-384 of the interpreter, and one digest over its standard library.

    ``environment`` is SHA-384 over the lines ``<sha384 hex> <path below the prefix>``, sorted by path.
    """
    binary = Path("/proc/self/exe").resolve()
    prefix = Path(sys.base_prefix).resolve()
    library = shared_library()
    files = [binary, *([library.resolve()] if library else []), *map(Path, standard_library())]
    digests = hashing.digest_files(files, "sha384")
    found: dict[str, str] = {}
    for path, digest in digests.items():
        if isinstance(digest, OSError):
            raise ModifiedError(f"Python's own file {path} cannot be read to be measured: {reason(digest)}.")
        found[str(path.relative_to(prefix) if path.is_relative_to(prefix) else path)] = digest.hex
    program = found.pop(str(binary.relative_to(prefix) if binary.is_relative_to(prefix) else binary))
    text = "".join(f"{digest} {name}\n" for name, digest in sorted(found.items()))
    return {
        "version": platform.python_version(),
        "sha384": program,
        "environment": hashlib.sha384(text.encode()).hexdigest(),
    }
