"""The program that encrypts what the service keeps, measured before it gets a key: gocryptfs, as the system has it, or
cryptsetup for a volume."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnavailableError, reason
from ..plan.environment import FIXED
from . import hashing

NAME = "gocryptfs"
#: What it calls to mount for an account without the right to, and for root as well.
MOUNTER = "fusermount"
#: For a volume: what has the kernel encrypt it, and what makes and mounts a file system in it.
CRYPTSETUP, MAKER, MOUNT = "cryptsetup", "mkfs.ext4", "mount"
MAPPER = Path("/dev/mapper/control")
TIMEOUT_S = 20


@dataclass(frozen=True)
class Program:
    """The program's name, path, its version as it says it, and its SHA-384 (hex). Libraries of the system that it loads
    are not measured."""

    name: str
    path: Path
    version: str
    sha384: str


def measure(volume: bool = False) -> Program:
    """The installed program, for a folder or for a `volume`. Raises UnavailableError where it, or what it needs, is
    missing."""
    if volume:
        return _measure_cryptsetup()
    path = found(NAME)
    if not path or not found(MOUNTER) or not Path("/dev/fuse").exists():
        raise UnavailableError(
            "Encrypted data is kept with gocryptfs, which is not (wholly) here: install the packages gocryptfs "
            "and fuse3, and see that there is a /dev/fuse."
        )
    return _measured(NAME, Path(path).resolve(), "-version")


def _measure_cryptsetup() -> Program:
    path = found(CRYPTSETUP)
    if not path or not found(MAKER) or not found(MOUNT) or not MAPPER.exists():
        raise UnavailableError(
            "DATA_VOLUME keeps the data with cryptsetup, which is not (wholly) here: install the packages "
            f"cryptsetup-bin and e2fsprogs, and see that the kernel has dm-crypt and dm-integrity ({MAPPER})."
        )
    return _measured(CRYPTSETUP, Path(path).resolve(), "--version")


def found(name: str) -> str:
    """Where the system has a program, or ""."""
    return shutil.which(name, path=FIXED["PATH"]) or ""


def tool(name: str) -> Path:
    """The system's program `name`. Raises UnavailableError."""
    path = found(name)
    if not path:
        raise UnavailableError(f"DATA_VOLUME needs {name}, which is not here any more.")
    return Path(path)


def _measured(name: str, path: Path, asking: str) -> Program:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            digest = hashing.digest_handle(handle, "sha384").hex
        finally:
            os.close(handle)
        said = subprocess.run(  # noqa: S603 - the program that was just measured
            [str(path), asking], env=FIXED, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise UnavailableError(f"{path} cannot be measured: {why}.") from None
    version = re.match(rf"{name} v?([0-9A-Za-z.+~-]+)", said)
    if not version:
        raise UnavailableError(f"{path} does not say which version of {name} it is: {said[:100]!r}.")
    return Program(name, path, version[1], digest)
