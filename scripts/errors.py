"""Every way the build tool can fail: one family, one exit code each.

Raise one of these with one sentence that says what is wrong, with which value, and what to do.
`__main__` catches the family once, prints the sentence and leaves with the code; no traceback.
"""

from __future__ import annotations

import errno
import shutil


class ToolError(Exception):
    """The family. Raise one of the classes below."""

    exit_code = 1


class UsageError(ToolError):
    """A setting or argument has a value we do not know."""

    exit_code = 2


class MissingError(ToolError):
    """This machine lacks something: an interpreter, a compiler, memory, disk."""

    exit_code = 3


class NetworkError(ToolError):
    """A download was impossible: no network, OFFLINE=1 with a cold cache, not on the index."""

    exit_code = 4


class MismatchError(ToolError):
    """Something is not, byte for byte, what the repository pins."""

    exit_code = 5


class PinError(ToolError):
    """`upstream.toml` or a list of pins is malformed."""

    exit_code = 6


class PatchError(ToolError):
    """The patch queue is malformed or does not apply."""

    exit_code = 7


class CommandError(ToolError):
    """A command we started failed; the sentence ends with its last lines and the log's path."""

    exit_code = 8


class DiskError(ToolError):
    """The operating system refused to read or write a file."""

    exit_code = 9


_REMEDIES = {
    errno.ENOSPC: "no space is left there; free some, or name another folder with CACHE_DIR or BUILD_DIR",
    errno.EDQUOT: "the disk quota there is used up; free some, or name another folder with CACHE_DIR or BUILD_DIR",
    errno.EFBIG: "the file would be larger than this process may write; see `ulimit -f`",
    errno.EROFS: "the file system is read-only; name another folder with CACHE_DIR or BUILD_DIR",
    errno.EACCES: "this user may not; change its owner or permissions, or name another folder",
    errno.EPERM: "this user may not; change its owner or permissions, or name another folder",
}


def from_os_error(error: OSError) -> DiskError:
    """The sentence for an operating system's refusal. The cache and earlier results are untouched by it."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        _, place, reason = error.args[0][0]  # a copied folder reports all its files; the first says enough
        return DiskError(f"Cannot write {place}: {reason}. Earlier results are untouched.")
    where = error.filename2 or error.filename or "a file"
    remedy = _REMEDIES.get(error.errno or 0, "see the message of the operating system")
    return DiskError(f"Cannot use {where}: {error.strerror or error}; {remedy}. Earlier results are untouched.")
