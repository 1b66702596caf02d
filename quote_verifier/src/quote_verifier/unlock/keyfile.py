"""The owner's key file: one secret of 32 bytes, from which the owner's key and the data's key follow.

`{"v": 1, "secret": "<base64url>", "data_key": n}`, mode 0600. The owner's Ed25519 key is made of HKDF-SHA256(secret)
with the information "open-webui-tdx owner", the data's key number n with "open-webui-tdx data key n". Beside it lies
`<file>.seen`, `{"v": 1, "generation": n}`: how often the data was opened when this owner last heard of it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..data_unlock.message import MOST_GENERATIONS
from ..encoding import from_base64url, to_base64url
from ..errors import Malformed, UsageError
from ..storing import write_json
from ..strictjson import is_version, load_object, text_member

SECRET_SIZE = 32  # bytes
MAX_BYTES = 4096


@dataclass(frozen=True)
class OwnerKey:
    """The secret, and which of the data's keys is in use."""

    secret: bytes = field(repr=False)
    number: int = 0

    @property
    def owner(self) -> Ed25519PrivateKey:
        """Signs what is asked of a TD."""
        return Ed25519PrivateKey.from_private_bytes(self._derive("owner"))

    @property
    def public(self) -> str:
        """The owner as DATA_OWNER and the evidence name it: base64url of 32 bytes."""
        return to_base64url(self.owner.public_key().public_bytes_raw())

    @property
    def data_key(self) -> bytes:
        """The key of the data, 32 bytes."""
        return self._derive(f"data key {self.number}")

    @property
    def following(self) -> OwnerKey:
        """The same owner, with the data's next key."""
        return OwnerKey(self.secret, self.number + 1)

    def _derive(self, what: str) -> bytes:
        return HKDF(SHA256(), SECRET_SIZE, None, f"open-webui-tdx {what}".encode()).derive(self.secret)


def make(path: Path, secret: bytes = b"", number: int = 0) -> OwnerKey:
    """Draw a new key into a new file, or write the key of that `secret`, whose data has its key `number`. Raises
    `UsageError`: a key file is never written over."""
    key = OwnerKey(secret or os.urandom(SECRET_SIZE), number)
    text = json.dumps(_document(key)) + "\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise UsageError(f"{path} is there already, and a key is never written over") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return key


def _document(key: OwnerKey) -> dict[str, Any]:
    return {"v": 1, "secret": to_base64url(key.secret), "data_key": key.number}


def advance(path: Path, key: OwnerKey) -> None:
    """Write the same owner's `key`, whose data has a newer key by now, in the place of the file.

    Raises `UsageError`."""
    try:
        write_json(path, _document(key))  # which makes files that only this account may read
    except OSError as error:
        raise UsageError(f"--key {path} cannot be written: {error.strerror}") from None


def load(path: Path) -> OwnerKey:
    """The key in a file that only its owner may read. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(MAX_BYTES)
    except OSError as error:
        raise UsageError(f"--key {path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise UsageError(f"--key {path} can be read by others (mode {mode & 0o777:04o}): if nobody has, chmod 600 it")
    try:
        document = load_object(data, "the key file")
        number = document.get("data_key")
        if not is_version(document.get("v"), 1) or type(number) is not int or number < 0:
            raise Malformed("it is of another version")
        secret = from_base64url(text_member(document, "secret", "the key file"), "the secret", SECRET_SIZE)
    except Malformed as error:
        raise UsageError(f"--key {path} is no key file of an owner: {error}") from None
    return OwnerKey(secret, number)


def seen(path: Path) -> int:
    """How often the data was opened when this owner last heard of it. Raises `UsageError`."""
    beside = _beside(path)
    try:
        document = load_object(beside.read_bytes(), "the count")
        generation = document.get("generation")
        if type(generation) is not int or not 0 <= generation <= MOST_GENERATIONS:
            raise Malformed("it holds no count")
    except FileNotFoundError:
        return 0
    except (OSError, Malformed) as error:
        raise UsageError(
            f"{beside} cannot be read ({error}), so older data could not be told: mend it, or remove it and name the "
            "count with --accept-generation"
        ) from None
    return generation


def remember(path: Path, generation: int) -> None:
    """Keep how often the data was opened. Raises `UsageError`."""
    try:
        write_json(_beside(path), {"v": 1, "generation": generation}, indent=None)
    except OSError as error:
        raise UsageError(f"{_beside(path)} cannot be written: {error.strerror}") from None


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".seen")
