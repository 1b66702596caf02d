"""The program that really answers at Ollama's address, measured with its libraries as the kernel holds it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UnavailableError, reason
from ..plan.environment import FIXED
from . import hashing, sockets


@dataclass(frozen=True)
class Answering:
    """The process that answers, and its executable by device and inode, whatever lies at its path by now."""

    pid: int
    device: int
    inode: int

    @property
    def executable(self) -> Path:
        """The program that the process runs, whatever lies at its path by now."""
        return Path(f"/proc/{self.pid}/exe")


@dataclass(frozen=True)
class Program:
    """SHA-384 (hex) of a binary, and one over the files of `../lib/ollama` (lines `<sha384> <path>`) or ""."""

    sha384: str
    libraries: str


def look(pid: int) -> Answering:
    """What runs as `pid` now. Raises OSError where it has ended or may not be looked at."""
    found = Path(f"/proc/{pid}/exe").stat()
    return Answering(pid, found.st_dev, found.st_ino)


def find(url: str) -> Answering:
    """The one process that listens at the address of `url` (loopback). Raises UnavailableError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    names = ("127.0.0.1", "::1") if host == "localhost" else (host,)
    rows = list(sockets.rows())
    inodes = [sockets.listening(sockets.address(name, port), rows) for name in names]
    pids = {pid for group in inodes if group for pid in sockets.holders(group)}
    if not pids:
        raise UnavailableError(
            f"Which program answers at {url} cannot be seen by this account, so it cannot be measured: "
            "start the launcher as root, or Ollama with the same account."
        )
    if len(pids) > 1:
        numbers = ", ".join(map(str, sorted(pids)))
        raise UnavailableError(
            f"Several processes ({numbers}) may answer at {url}, so it cannot be told which is measured: end the "
            "others, or name one address, such as 127.0.0.1, in OLLAMA_BASE_URL."
        )
    try:
        return look(pids.pop())
    except OSError as error:
        raise UnavailableError(f"The program that answers at {url} cannot be measured: {reason(error)}.") from error


def installed(configured: str) -> Path:
    """The program to start where none answers: OLLAMA_BINARY, or the one in the system's folders."""
    found = configured or shutil.which("ollama", path=FIXED["PATH"])
    if not found or not Path(found).is_file():
        raise UnavailableError(
            f"There is none to start ({configured or 'none in ' + FIXED['PATH']}): install it or set OLLAMA_BINARY."
        )
    return Path(found)


def measure(binary: Path, check: Callable[[], None] = lambda: None) -> Program:
    """Hash a binary, by its path or as `/proc/<pid>/exe`, and its libraries. Raises UnavailableError."""
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
    return Program(program.hex, hashlib.sha384("".join(lines).encode()).hexdigest() if lines else "")
