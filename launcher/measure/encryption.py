"""The program that encrypts what the service keeps, measured before it gets a key: gocryptfs, as the system has it."""

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
TIMEOUT_S = 20


@dataclass(frozen=True)
class Program:
    """The program's path, its version as it says it, and its SHA-384 (hex). Libraries of the system that it loads are
    not measured."""

    path: Path
    version: str
    sha384: str


def measure() -> Program:
    """The installed program. Raises UnavailableError where it, or what it needs, is missing."""
    found = shutil.which(NAME, path=FIXED["PATH"])
    if not found or not shutil.which(MOUNTER, path=FIXED["PATH"]) or not Path("/dev/fuse").exists():
        raise UnavailableError(
            "DATA_KEY=unlock keeps the data with gocryptfs, which is not (wholly) here: install the packages gocryptfs "
            "and fuse3, and see that there is a /dev/fuse."
        )
    path = Path(found).resolve()
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            digest = hashing.digest_handle(handle, "sha384").hex
        finally:
            os.close(handle)
        said = subprocess.run(  # noqa: S603 - the program that was just measured
            [str(path), "-version"], env=FIXED, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise UnavailableError(f"{path} cannot be measured: {why}.") from None
    version = re.match(r"gocryptfs v?([0-9A-Za-z.+~-]+)", said)
    if not version:
        raise UnavailableError(f"{path} does not say which version of gocryptfs it is: {said[:100]!r}.")
    return Program(path, version[1], digest)
