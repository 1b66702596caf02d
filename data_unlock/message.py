"""The unlock message's bytes, 218 of them, or 250 where there are two keys; numbers big-endian:

`version(1) action(1) least_generation(8) nonce(32) unlock_key(32) encapsulated(32) sealed(48 or 80) signature(64)`

`action` is 1 to open what is there, 2 to make a new, empty folder; 3 to open it and exchange its key for a second one,
4 to copy everything under another master key as well. `least_generation`: data that was opened less often
is too old. `nonce` is drawn by the sender. `unlock_key` is the X25519 key that the quote binds. `encapsulated` and
`sealed` are HPKE's (base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) over the data's key of 32 bytes
(and the new one), with LABEL and everything before them as `info`. The signature is Ed25519 (RFC 8032) over LABEL and
all before it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from pyhpke import AEADId, CipherSuite, KDFId, KEMId

from .errors import MalformedError

LABEL = b"open-webui-tdx unlock, version 1\0"
EXPORT_LABEL = b"open-webui-tdx unlocked, version 1"
SUITE = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)
VERSION = 1
KEY_SIZE = NONCE_SIZE = 32  # bytes: of the data's key, X25519 and Ed25519 public keys, the nonce
SIGNATURE_SIZE = 64  # bytes
MOST_GENERATIONS = 2**53 - 1  # what a JavaScript number holds exactly, as `runtime_data` has it
_HEAD = struct.Struct(">BBQ32s32s")
TAG_SIZE = 16  # bytes, of AES-GCM


class Action(IntEnum):
    """What the owner asks for."""

    OPEN = 1
    CREATE = 2
    ROTATE = 3
    COPY = 4

    @property
    def keys(self) -> int:
        """How many keys its message holds: the data's, and the one that it is to have from now on."""
        return 2 if self in (Action.ROTATE, Action.COPY) else 1


def _form(keys: int) -> struct.Struct:
    return struct.Struct(f">{_HEAD.size}s32s{keys * KEY_SIZE + TAG_SIZE}s{SIGNATURE_SIZE}s")


SIZES = {keys: _form(keys).size for keys in (1, 2)}
MOST = max(SIZES.values())  # bytes of a message


@dataclass(frozen=True)
class Head:
    """What everybody on the way can read, and nobody can change."""

    action: Action
    least_generation: int
    nonce: bytes
    unlock_key: bytes

    def encode(self) -> bytes:
        """74 bytes. MalformedError for a generation or a key out of range."""
        sizes = len(self.nonce) == NONCE_SIZE and len(self.unlock_key) == KEY_SIZE
        if not sizes or not 0 <= self.least_generation <= MOST_GENERATIONS:
            raise MalformedError(
                "an unlock message has a nonce and a key of 32 bytes, and a generation from 0 to 2^53-1"
            )
        return _HEAD.pack(VERSION, self.action, self.least_generation, self.nonce, self.unlock_key)


@dataclass(frozen=True)
class Message:
    """A message taken apart; nothing of it is believed."""

    head: Head
    info: bytes
    encapsulated: bytes
    sealed: bytes
    signed: bytes
    signature: bytes


def decode(data: bytes) -> Message:
    """MalformedError unless `data` has the one form."""
    keys = next((keys for keys, size in SIZES.items() if size == len(data)), None)
    if keys is None:
        raise MalformedError(f"an unlock message has {' or '.join(map(str, SIZES.values()))} bytes, not {len(data)}")
    head, encapsulated, sealed, signature = _form(keys).unpack(data)
    version, action, least, nonce, unlock_key = _HEAD.unpack(head)
    known = action in tuple(Action) and Action(action).keys == keys
    if version != VERSION or not known or least > MOST_GENERATIONS:
        raise MalformedError(
            f"an unlock message is of version {VERSION}, and asks to open (1), to create (2), to rotate (3) or to "
            "copy (4), the last two with a second key"
        )
    parts = Head(Action(action), least, nonce, unlock_key)
    return Message(parts, LABEL + head, encapsulated, sealed, LABEL + data[:-SIGNATURE_SIZE], signature)
