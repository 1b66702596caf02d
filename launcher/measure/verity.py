"""fs-verity: have the kernel refuse every later change to a file, and every read of it that is not what was hashed.

Linux's Documentation/filesystems/fsverity.rst: FS_IOC_ENABLE_VERITY makes a file read-only for good (it can still be
deleted) and checks each block when it is read. It needs a file system with the feature (ext4, f2fs, btrfs) and a kernel
with CONFIG_FS_VERITY; elsewhere the launch assumes what docs/deployment.md says.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterable
from pathlib import Path

# _IOW('f', 133, struct fsverity_enable_arg), 128 bytes: version, hash algorithm (1: SHA-256), block size, then a salt
# and a signature by size and address, which are not used, and reserved zeros.
FS_IOC_ENABLE_VERITY = 0x40806685
_ARGUMENT = struct.pack("=IIIIQII12Q", 1, 1, 4096, 0, 0, 0, 0, *([0] * 12))


def seal(path: Path) -> bool:
    """Switch fs-verity on for one file; True if it is on now. False where it cannot be: never an error."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.ioctl(handle, FS_IOC_ENABLE_VERITY, _ARGUMENT)
    except OSError as error:
        return error.errno == errno.EEXIST
    finally:
        os.close(handle)
    return True


def seal_all(paths: Iterable[Path]) -> int:
    """Seal files, before they are hashed, so that what is hashed is what stays. How many are sealed now."""
    return sum(map(seal, paths))
