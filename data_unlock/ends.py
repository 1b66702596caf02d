"""The two ends: the owner, who asks, and the TD, which is locked until one message opens it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pyhpke import KEMKeyPair, PyHPKEError

from . import answer
from .answer import Answer
from .errors import RefusedError, UnlockError
from .message import EXPORT_LABEL, KEY_SIZE, LABEL, NONCE_SIZE, SUITE, Action, Head, decode


class Asking:
    """The owner's end: `message` is sent, `heard` reads what comes back.

    `unlock_key` is the X25519 key that proven evidence binds, `data_key` 32 bytes, and so is `new_key` where the action
    takes one. `nonce` and `ephemeral` are given by
    tests with known answers only. UnlockError for a key that nothing can be sealed to.
    """

    def __init__(
        self,
        unlock_key: bytes,
        owner: Ed25519PrivateKey,
        data_key: bytes,
        action: Action,
        least_generation: int = 0,
        *,
        new_key: bytes = b"",
        nonce: bytes | None = None,
        ephemeral: KEMKeyPair | None = None,
    ) -> None:
        if len(data_key) != KEY_SIZE:
            raise UnlockError(f"the data's key has {KEY_SIZE} bytes, not {len(data_key)}")
        if len(new_key) != (action.keys - 1) * KEY_SIZE:
            raise UnlockError(f"the data's new key has {(action.keys - 1) * KEY_SIZE} bytes here, not {len(new_key)}")
        drawn = os.urandom(NONCE_SIZE) if nonce is None else nonce
        head = Head(action, least_generation, drawn, unlock_key).encode()
        try:
            public = SUITE.kem.deserialize_public_key(unlock_key)
            encapsulated, context = SUITE.create_sender_context(public, LABEL + head, eks=ephemeral)
        except (PyHPKEError, ValueError):  # ValueError: a point of small order
            raise UnlockError("the key that the evidence binds is not a usable X25519 key") from None
        unsigned = head + encapsulated + context.seal(data_key + new_key)
        self.message = unsigned + owner.sign(LABEL + unsigned)
        self._key = context.export(EXPORT_LABEL, answer.MAC_SIZE)

    def heard(self, data: bytes) -> Answer:
        """The TD's answer. UnprovenError, MalformedError."""
        return answer.decode(data, self._key, self.message)


@dataclass(frozen=True)
class Opened:
    """A message of the owner's, opened."""

    action: Action
    least_generation: int
    data_key: bytes = field(repr=False)
    new_key: bytes = field(repr=False)
    _key: bytes = field(repr=False)
    _message: bytes = field(repr=False)

    def answer(self, said: Answer) -> bytes:
        """What is sent back."""
        return said.encode(self._key, self._message)


class Locked:
    """The TD's end: one X25519 key, which opens one message that `owner` (Ed25519, 32 bytes) signed, and no other."""

    def __init__(self, owner: bytes, secret: X25519PrivateKey | None = None) -> None:
        """`secret` is given by tests only. UnlockError for an owner that is no Ed25519 key."""
        try:
            self._owner = Ed25519PublicKey.from_public_bytes(owner)
        except ValueError:
            raise UnlockError("the owner of the data is named by an Ed25519 key of 32 bytes") from None
        self._secret: X25519PrivateKey | None = secret or X25519PrivateKey.generate()
        self.public = self._secret.public_key().public_bytes_raw()

    @property
    def used(self) -> bool:
        """Whether it has opened its one message: then a new one is needed, in a new quote."""
        return self._secret is None

    def open(self, data: bytes) -> Opened:
        """Open one message. What is not for this key, or not signed by the owner, costs a comparison and one check of
        a signature, and leaves the key as it was. MalformedError, RefusedError."""
        message = decode(data)
        if self._secret is None or message.head.unlock_key != self.public:
            raise RefusedError("this message is for another key than the one that waits here: ask for evidence again")
        try:
            self._owner.verify(message.signature, message.signed)
        except InvalidSignature:
            raise RefusedError("this message is not signed by the owner of the data") from None
        secret, self._secret = self._secret, None
        try:
            private = SUITE.kem.deserialize_private_key(secret.private_bytes_raw())
            context = SUITE.create_recipient_context(message.encapsulated, private, message.info)
            keys = context.open(message.sealed)
        except (PyHPKEError, ValueError):
            raise RefusedError("the key in this message does not open, though its signature is good") from None
        key = context.export(EXPORT_LABEL, answer.MAC_SIZE)
        head = message.head
        return Opened(head.action, head.least_generation, keys[:KEY_SIZE], keys[KEY_SIZE:], key, data)
