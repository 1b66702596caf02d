"""What a Trustee is to keep for an owner: leave to open the data, for whatever its policy lets through."""

from __future__ import annotations

import os
from pathlib import Path

from ..data_unlock.errors import UnlockError
from ..data_unlock.grant import Grant
from ..errors import UsageError
from . import keyfile

WRITTEN = (
    "{0} is what your Trustee is to keep as {1}. It holds the data's key: remove it once it is there, and make it anew "
    "after --rotate-key, and now and then, since data older than the count in it is refused."
)


def write(path: Path, key: Path, resource: str, least: int | None) -> None:
    """Into a new file, mode 0600. `least` (None: as often as this owner has seen) is how often data that it opens was
    opened before. Raises `UsageError`."""
    owner = keyfile.load(key)
    count = keyfile.seen(key) if least is None else least
    try:
        data = Grant(owner.data_key, count).encode(owner.owner, resource)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except UnlockError as error:
        raise UsageError(f"--for: {error}") from None
    except FileExistsError:
        raise UsageError(f"{path} is there already, and is not written over") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
