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

# What Python reads as code. Cached bytecode is left out because it is never used (see DataDir.bytecode), but where the
# launcher was started with some (given_bytecode); a lone .pyc is code. Packages that would double the time are left out
# as well: launcher/__main__.py lets nobody import them.
SUFFIXES = (".py", ".so", ".zip", ".pyc")
SKIPPED = frozenset({"__pycache__", "site-packages", "dist-packages", "test", "idlelib", "turtledemo"})


def executable() -> str:
    """The program that runs, as the kernel knows it: `sys.executable` is what its caller said."""
    return str(Path("/proc/self/exe").readlink())


def given_bytecode() -> Path | None:
    """The bytecode that this process was started with (`-X pycache_prefix=`), as the machine image's units do.

    None is the rule: then `launcher/__main__.py` has chosen a place where there is none.
    """
    given = Path(sys.pycache_prefix or "/nonexistent")
    return given if given.is_dir() else None


def standard_library() -> dict[str, str]:
    """Every file that is imported from besides the release's: its path as Python sees it, to the real one.

    Links are followed, as Python does. The zip that Python puts before its standard library counts where there is one.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")):
        _walk(folder, found, frozenset())
    for prefix in {sys.base_prefix, sys.base_exec_prefix}:
        path = f"{prefix}/{sys.platlibdir}/python{sys.version_info.major}{sys.version_info.minor}.zip"
        if Path(path).is_dir():
            _walk(path, found, frozenset())
        elif Path(path).exists():
            found[path] = os.path.realpath(path)
    return dict(sorted(found.items()))


def _walk(folder: str, found: dict[str, str], above: frozenset[str]) -> None:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that it is in
        return
    for entry in os.scandir(folder):
        if entry.is_dir():
            if entry.name not in SKIPPED:
                _walk(entry.path, found, above | {real})
        elif entry.name.endswith(SUFFIXES):
            found[entry.path] = os.path.realpath(entry.path)


def shared_library(maps: Path = Path("/proc/self/maps")) -> Path | None:
    """libpython, where the interpreter is only a stub around it: what this process has mapped, whatever its build says.

    Debian's interpreter holds all of it, though its build says "shared"; the library need not even be installed.
    """
    name = str(sysconfig.get_config_var("INSTSONAME") or "")
    for line in maps.read_text().splitlines():
        if name and line.endswith(f"/{name}"):
            return Path(line[line.index("/") :])
    return None


def measure() -> dict[str, str]:
    """The `python` event: version, SHA-384 of the interpreter, and one digest over its standard library.

    `environment` is SHA-384 over the lines `<sha384 hex> <path below the prefix>`, sorted by path.
    """
    binary = os.path.realpath(executable())
    prefix = Path(sys.base_prefix).resolve()
    library = shared_library()
    real = {binary: binary, **standard_library()} | (
        {str(library.resolve()): str(library.resolve())} if library else {}
    )
    digests = hashing.digest_files(map(Path, set(real.values())), "sha384")
    found: dict[str, str] = {}
    for name, path in real.items():
        digest = digests[Path(path)]
        if isinstance(digest, OSError):
            raise ModifiedError(f"Python's own file {name} cannot be read to be measured: {reason(digest)}.")
        found[str(Path(name).relative_to(prefix) if Path(name).is_relative_to(prefix) else name)] = digest.hex
    program = found.pop(str(Path(binary).relative_to(prefix) if Path(binary).is_relative_to(prefix) else binary))
    text = "".join(f"{digest} {name}\n" for name, digest in sorted(found.items()))
    return {
        "version": platform.python_version(),
        "sha384": program,
        "environment": hashlib.sha384(text.encode()).hexdigest(),
    }
