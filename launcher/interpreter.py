"""Measure the Python that runs the release: it comes from the machine, not from the release."""

from __future__ import annotations

import hashlib
import platform
import sys
import sysconfig
from pathlib import Path

from . import hashing
from .errors import ModifiedError

# What Python reads as code. Bytecode is left out because it is never used: see DataDir.bytecode.
SUFFIXES = (".py", ".so", ".zip")
SKIPPED = frozenset({"__pycache__", "site-packages", "dist-packages"})


def standard_library() -> list[Path]:
    """Every file of the standard library that can be imported, sorted."""
    folders = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    found: set[Path] = set()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix in SUFFIXES and not SKIPPED & set(path.relative_to(folder).parts) and path.is_file():
                found.add(path.resolve())
    return sorted(found)


def shared_library() -> Path | None:
    """libpython, where the interpreter is only a stub around it."""
    if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
        return None
    name, folder = str(sysconfig.get_config_var("INSTSONAME")), str(sysconfig.get_config_var("LIBDIR"))
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(f"/{name}"):
            return Path(line[line.index("/"):])
    return Path(folder) / name


def measure() -> dict[str, str]:
    """The ``python`` event: version, SHA-384 of the interpreter, and one digest over its standard library.

    ``environment`` is SHA-384 over the lines ``<sha384 hex> <path below the prefix>``, sorted by path.
    """
    binary = Path("/proc/self/exe").resolve()
    prefix = Path(sys.base_prefix).resolve()
    library = shared_library()
    files = [binary, *([library.resolve()] if library else []), *standard_library()]
    digests = hashing.digest_files(files, "sha384")
    for path, digest in digests.items():
        if isinstance(digest, OSError):
            raise ModifiedError(f"Python's own file {path} cannot be read to be measured: {digest.strerror}.")
    lines = sorted(
        (str(path.relative_to(prefix) if path.is_relative_to(prefix) else path), digest.hex)
        for path, digest in digests.items() if isinstance(digest, hashing.Digest) and path != binary
    )
    text = "".join(f"{digest} {name}\n" for name, digest in lines)
    interpreter = digests[binary]
    assert isinstance(interpreter, hashing.Digest)
    return {
        "version": platform.python_version(),
        "sha384": interpreter.hex,
        "environment": hashlib.sha384(text.encode()).hexdigest(),
    }
