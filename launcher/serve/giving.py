"""Give folders to the web server's account, which may not be trusted with anything else.

The launcher is root here, and the account may have files and processes of its own in the folder. So everything goes
through descriptors and never through a link; an owner is only changed inside a folder that is still the launcher's,
where nobody else can exchange a name; a folder becomes the account's after all that is in it; and what belongs to
anybody else is refused instead of given away.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from ..errors import DataError, writing
from ..plan.processes import User

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def give(user: User | None, folder: Path) -> None:
    """Make `folder` and everything in it belong to `user`, links themselves included. Raises DataError."""
    if user is None:
        return
    with writing("the owner of the web server's data", folder):
        handle = os.open(folder, _FOLDER)
        try:
            _give(handle, folder, user)
        finally:
            os.close(handle)


def _give(handle: int, folder: Path, user: User) -> None:
    own = os.fstat(handle)
    ours = own.st_uid == os.geteuid() and not own.st_mode & stat.S_IWOTH
    if not ours and own.st_uid != user.uid:
        raise _refusal(folder, own.st_uid, user)
    with os.scandir(handle) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        try:
            found = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                inner = os.open(name, _FOLDER, dir_fd=handle)
                try:
                    _give(inner, folder / name, user)
                finally:
                    os.close(inner)
            elif found.st_uid != user.uid:
                linked = stat.S_ISREG(found.st_mode) and found.st_nlink > 1
                if not ours or linked or found.st_uid != os.geteuid():
                    raise _refusal(folder / name, found.st_uid, user)
                os.chown(name, user.uid, user.gid, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            continue  # the account's own program took it away meanwhile
    if ours:
        os.fchown(handle, user.uid, user.gid)


def _refusal(path: Path, owner: int, user: User) -> DataError:
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    return DataError(
        f"{path} belongs to {name}, and the web server runs as {user.name}: if it is the web server's, give it with "
        f"chown -h {user.name} (-R for a folder), otherwise take it away; then start again."
    )
