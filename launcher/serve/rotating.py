"""Another key for the same data: wrapped anew at once, or everything copied under a new master key.

Wrapping is enough where a key may have become known. Whoever knew it and kept the folder's configuration as it was then
still has the master key: against them only copying helps. The copy grows beside the folder, takes its place when it is
whole, and goes on where a kill ended it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ..datadir import DataDir
from ..errors import writing
from ..files import sync_folder
from .copying import Copying
from .vault import WRAPPING, Vault, VaultError, WrongKeyError


def settle(data: DataDir) -> None:
    """Finish the exchange of the folder for its copy, where a kill came in between. Raises DataError."""
    with writing("the encrypted folder", data.cipher):
        for begun in data.root.glob(f"{WRAPPING}*"):
            shutil.rmtree(begun)
        if data.old_cipher.exists() and data.next_cipher.exists() and not data.cipher.exists():
            data.next_cipher.rename(data.cipher)
            sync_folder(data.root)
        if data.cipher.exists() and data.old_cipher.exists():
            shutil.rmtree(data.old_cipher)


def rotate(vault: Vault, key: bytes, new: bytes, least: int, full: bool) -> None:
    """Have the data open with `new` from now on, and no longer with `key`. `least`: older data is left as it is.

    What was done before, and its owner did not hear of, is done. Raises VaultError, DataError, Stopped.
    """
    data = vault.launch.data
    if data.volume and full:
        raise VaultError(
            "A volume has its master key for good: for another one (--full) have another volume made, and copy into it "
            "what is in this one. Without --full its key is exchanged. Nothing was changed."
        )
    if not data.volume and not data.cipher.is_dir():
        raise VaultError(f"There is no encrypted data at {data.cipher}.")
    try:
        vault.look(key, least)
    except WrongKeyError as error:
        try:
            vault.look(new, 0)
            return
        except WrongKeyError:
            raise error from None
    if full:
        _copy(vault, key, new)
    else:
        vault.wrap(key, new)


def _copy(vault: Vault, key: bytes, new: bytes) -> None:
    data = vault.launch.data
    if not _begun(vault, new):
        vault.make(data.next_cipher, new)
    with writing("where the old folder is looked into", data.before):
        data.before.mkdir(mode=0o700, exist_ok=True)
    with vault.mounted(data.cipher, key, "-ro", at=data.before), vault.mounted(data.next_cipher, new):
        Copying(vault.supervisor.check, exact=True).copy(data.before, data.kept)
    with writing("the encrypted folder", data.cipher):
        data.before.rmdir()
        data.cipher.rename(data.old_cipher)
    settle(data)


def _begun(vault: Vault, new: bytes) -> bool:
    """Whether a copy under this very key was begun; another one is taken away. Raises VaultError, DataError."""
    place: Path = vault.launch.data.next_cipher
    if not place.exists():
        return False
    try:
        with vault.mounted(place, new, "-ro"):
            return True
    except VaultError:
        with writing("an earlier copy", place):
            shutil.rmtree(place)
        return False
