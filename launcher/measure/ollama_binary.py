"""Find the program that really answers at Ollama's port, and measure it with its libraries."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UnavailableError, reason
from . import hashing

LISTEN = "0A"


def find(base_url: str, configured: str, proc: Path = Path("/proc")) -> Path:
    """The running binary, as ``/proc/<pid>/exe`` where that can be read; else OLLAMA_BINARY or the one in PATH.

    Through /proc it is the very file that runs, even if another one lies at its path by now.
    """
    if configured:
        return Path(configured)
    port = urlsplit(base_url).port or 80
    for pid in _pids(_inodes(port, proc), proc):
        exe = proc / str(pid) / "exe"
        if os.access(exe, os.R_OK):
            return exe
    found = shutil.which("ollama")
    if found is None:
        raise UnavailableError(
            "The Ollama that answers cannot be found on this machine to be measured: set OLLAMA_BINARY."
        )
    return Path(found)


def _inodes(port: int, proc: Path) -> set[str]:
    """Inodes of the sockets that listen on ``port``: column 10 of /proc/net/tcp, whose ports are hexadecimal."""
    found = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == LISTEN and int(columns[1].rsplit(":", 1)[1], 16) == port:
                found.add(columns[9])
    return found


def _pids(inodes: set[str], proc: Path) -> list[int]:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return sorted(
        int(folder.name) for folder in proc.iterdir() if folder.name.isdigit() and wanted & _links(folder / "fd")
    )


def _links(folder: Path) -> set[str]:
    """What the open files of a process are; nothing where this account may not look, or where it has just ended."""
    found = set()
    try:
        for link in folder.iterdir():
            with suppress(OSError):
                found.add(str(link.readlink()))
    except OSError:
        pass
    return found


def measure(binary: Path, check: Callable[[], None] = lambda: None) -> tuple[str, str]:
    """SHA-384 of the binary, and one over the files of ``../lib/ollama`` (lines ``<sha384> <path>``, sorted) or ""."""
    try:
        handle = os.open(binary, os.O_RDONLY | os.O_CLOEXEC)  # /proc/<pid>/exe is a link by design
    except OSError as error:
        raise UnavailableError(f"Ollama's program {binary} cannot be read to be measured: {reason(error)}.") from error
    try:
        program = hashing.digest_handle(handle, "sha384")
    finally:
        os.close(handle)
    folder = binary.resolve().parent.parent / "lib" / "ollama"
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()] if folder.is_dir() else []
    with hashing.progress("Measuring Ollama", sum(path.stat().st_size for path in files), check) as tick:
        digests = hashing.digest_files(files, "sha384", tick)
    lines = []
    for path, digest in sorted(digests.items()):
        if isinstance(digest, OSError):
            raise UnavailableError(f"Ollama's library {path} cannot be read to be measured: {reason(digest)}.")
        lines.append(f"{digest.hex} {path.relative_to(folder)}\n")
    return program.hex, hashlib.sha384("".join(lines).encode()).hexdigest() if lines else ""
