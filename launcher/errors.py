"""Everything the launcher can fail with: one sentence for the person, one exit code for the script."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

INTERNAL = 1
USAGE = 2
UNAVAILABLE = 3
DATA = 4
NO_TDX = 5
MODIFIED = 6


class LauncherError(Exception):
    """A failure with one clear sentence. `code` is the process's exit code."""

    code = INTERNAL


class SettingError(LauncherError):
    """A setting has a value that is not understood."""

    code = USAGE


class UnavailableError(LauncherError):
    """Something that the launch needs is missing or taken: a port, a model server, a file of the release."""

    code = UNAVAILABLE


class DataError(LauncherError):
    """The data folder cannot be used: full, read-only, in use, or owned by somebody else."""

    code = DATA


class TdxError(LauncherError):
    """Real TDX was asked for and is not there, or cannot be measured into."""

    code = NO_TDX


class ModifiedError(LauncherError):
    """What is on the disk is not what was built, or not what its name says."""

    code = MODIFIED


class ChildError(LauncherError):
    """A process that the launcher started ended by itself."""


class Stopped(Exception):
    """Somebody asked for the end (Ctrl-C or SIGTERM): not a failure."""


_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EISDIR: "it is a folder",
    errno.EIO: "the disk reports an error",
    errno.ELOOP: "the path is a symbolic link",
    errno.EEXIST: "a file of that name is in the way",
}


def reason(error: OSError) -> str:
    """Why the system refused, in words that need no manual."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


@contextmanager
def writing(what: str, path: Path) -> Iterator[None]:
    """Turn a refused write below the data folder into one sentence that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"Cannot write {what} at {error.filename or path}: {reason(error)}. "
            "Make room or choose another folder with DATA_DIR; existing data was left as it was."
        ) from error
