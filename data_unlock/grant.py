"""The owner's leave to open the data again and again, which a key broker keeps: 137 bytes; numbers big-endian:

`version(1) least_generation(8) data_key(32) resource(32) signature(64)`

`least_generation`: data that was opened less often is too old. `resource` is SHA-256 of where the broker keeps it
(`repository/type/tag`): one resource's leave is none at another's place. The signature is Ed25519 (RFC 8032) over LABEL
and all before it: a broker that the owner does not know has nothing that opens. It only ever opens what is there; a
folder is made, and a key exchanged, by the owner's own message alone (`message.py`).

It holds the data's key in the clear: it goes to the broker, and nowhere else.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .errors import MalformedError, RefusedError, UnlockError
from .message import KEY_SIZE, MOST_GENERATIONS, SIGNATURE_SIZE
from .outside import is_resource

LABEL = b"open-webui-tdx grant, version 1\0"
VERSION = 1
_SIGNED = struct.Struct(">BQ32s32s")
SIZE = _SIGNED.size + SIGNATURE_SIZE  # bytes


@dataclass(frozen=True)
class Grant:
    """What the owner granted: `data_key` opens data that was opened at least `least_generation` times."""

    data_key: bytes = field(repr=False)
    least_generation: int = 0

    def encode(self, owner: Ed25519PrivateKey, resource: str) -> bytes:
        """The bytes to be kept as `resource`. UnlockError for a key, a count or a place out of range."""
        if len(self.data_key) != KEY_SIZE or not 0 <= self.least_generation <= MOST_GENERATIONS:
            raise UnlockError(f"a grant has a key of {KEY_SIZE} bytes, and a count from 0 to 2^53-1")
        if not is_resource(resource):
            raise UnlockError(f"{resource[:100]} is no resource of a Trustee, such as default/open-webui/data-key")
        signed = _SIGNED.pack(VERSION, self.least_generation, self.data_key, _place(resource))
        return signed + owner.sign(LABEL + signed)


def decode(data: bytes, owner: bytes, resource: str) -> Grant:
    """The grant that `owner` (an Ed25519 public key, 32 bytes) made for `resource`. MalformedError, RefusedError."""
    if len(data) != SIZE or data[0] != VERSION:
        raise MalformedError(f"a grant has {SIZE} bytes and is of version {VERSION}, and this has {len(data)}")
    signed, signature = data[: _SIGNED.size], data[_SIGNED.size :]
    _, least, key, place = _SIGNED.unpack(signed)
    try:
        Ed25519PublicKey.from_public_bytes(owner).verify(signature, LABEL + signed)
    except (InvalidSignature, ValueError):
        raise RefusedError("this grant is not signed by the owner of the data") from None
    if place != _place(resource):
        raise RefusedError("this grant is for another resource than the one that was asked for")
    if least > MOST_GENERATIONS:
        raise MalformedError("a grant's count is from 0 to 2^53-1")
    return Grant(key, least)


def _place(resource: str) -> bytes:
    return hashlib.sha256(resource.encode("ascii")).digest()
