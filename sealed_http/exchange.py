"""One request and its answer: who seals what with which key.

A request's chunks are sealed by HPKE (RFC 9180) to the server's key; an answer's by a key that both export from that
context, with a nonce of the answer's own. Each direction counts its chunks, and the last one is sealed with "final" as
associated data: a chunk that was changed, left out, repeated, moved, or taken from the other direction does not open.
"""

from __future__ import annotations

import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from pyhpke import ContextInterface, KEMKeyPair, PyHPKEError

from .errors import MalformedError, UnknownKeyError, UnopenedError
from .key_config import ENCAPSULATED_SIZE, HEADER, KEY_SIZE, NONCE_SIZE, SUITE, KeyConfig

REQUEST_LABEL = b"message/bhttp chunked request"
RESPONSE_LABEL = b"message/bhttp chunked response"
RESPONSE_NONCE_SIZE = max(KEY_SIZE, NONCE_SIZE)
PREFIX_SIZE = HEADER.size + ENCAPSULATED_SIZE  # bytes before a request's first chunk
#: The field, inside, of a request that is sent again because no key opened it: `name_of` the one before, in hex.
#: Somebody on the way may have kept that one; of the two the server takes one.
INSTEAD_OF = "instead-of"
NAME_SIZE = 8
_FINAL = b"final"
_DAMAGED = "a sealed chunk does not open: it was changed on its way, or sealed to another key"


def name_of(prefix: bytes) -> bytes:
    """What tells a request from all others: the first bytes of its encapsulated key, which is never drawn twice."""
    return prefix[HEADER.size : HEADER.size + NAME_SIZE]


class Sealer(Protocol):
    """Seals the chunks of one direction, in order."""

    def seal(self, data: bytes, final: bool = False) -> bytes:
        """`data`, of any size, and 16 bytes of tag."""


class Opener(Protocol):
    """Opens the chunks of one direction, in order."""

    def open(self, sealed: bytes, final: bool = False) -> bytes:
        """What was sealed. UnopenedError if it is not the next chunk of this direction."""


class _Hpke:
    """A request's direction, at either end."""

    def __init__(self, context: ContextInterface) -> None:
        self._context = context

    def seal(self, data: bytes, final: bool = False) -> bytes:
        return self._context.seal(data, _FINAL if final else b"")

    def open(self, sealed: bytes, final: bool = False) -> bytes:
        try:
            return self._context.open(sealed, _FINAL if final else b"")
        except PyHPKEError:
            raise UnopenedError(_DAMAGED) from None


class _Counted:
    """An answer's direction, at either end: AES-256-GCM with a nonce that counts."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._aead = AESGCM(key)
        self._nonce = int.from_bytes(nonce, "big")
        self._counter = 0

    def _next(self) -> bytes:
        nonce = (self._nonce ^ self._counter).to_bytes(NONCE_SIZE, "big")
        self._counter += 1
        return nonce

    def seal(self, data: bytes, final: bool = False) -> bytes:
        return self._aead.encrypt(self._next(), data, _FINAL if final else b"")

    def open(self, sealed: bytes, final: bool = False) -> bytes:
        try:
            return self._aead.decrypt(self._next(), sealed, _FINAL if final else b"")
        except InvalidTag:
            raise UnopenedError(_DAMAGED) from None


def _answer(context: ContextInterface, enc: bytes, nonce: bytes) -> _Counted:
    """RFC 9458, section 4.4, with the label of the chunked form."""
    secret = context.export(RESPONSE_LABEL, RESPONSE_NONCE_SIZE)
    extract = HMAC(enc + nonce, SHA256())
    extract.update(secret)
    prk = extract.finalize()
    return _Counted(
        HKDFExpand(SHA256(), KEY_SIZE, b"key").derive(prk), HKDFExpand(SHA256(), NONCE_SIZE, b"nonce").derive(prk)
    )


class ClientExchange:
    """The client's side: `prefix` is sent first, then the framed chunks of `request`."""

    def __init__(self, server: KeyConfig, ephemeral: KEMKeyPair | None = None) -> None:
        """`ephemeral` is for tests with known answers only; UnopenedError for a key that is no point of the curve."""
        info = REQUEST_LABEL + b"\0" + server.header
        try:
            self._enc, self._context = SUITE.create_sender_context(
                SUITE.kem.deserialize_public_key(server.public_key), info, eks=ephemeral
            )
        except (PyHPKEError, ValueError):  # ValueError: a point of small order
            raise UnopenedError("the server's channel key is not a usable X25519 key") from None
        self.prefix = server.header + self._enc
        self.request: Sealer = _Hpke(self._context)

    def response(self, nonce: bytes) -> Opener:
        """What opens the answer that begins with the 32 bytes `nonce`."""
        return _answer(self._context, self._enc, nonce)


class ServerExchange:
    """The server's side of the request that begins with `prefix`, 39 bytes."""

    def __init__(self, prefix: bytes, keys: dict[bytes, bytes]) -> None:
        """`keys`: X25519 secrets of 32 bytes by their `KeyConfig.header`. UnknownKeyError where it has none."""
        if len(prefix) != PREFIX_SIZE:
            raise MalformedError(f"a sealed request begins with {PREFIX_SIZE} bytes of header, not {len(prefix)}")
        header, enc = prefix[: HEADER.size], prefix[HEADER.size :]
        secret = keys.get(header)
        if secret is None:
            raise UnknownKeyError("this message is sealed to a key that this server does not hold (any more)")
        try:
            self._context = SUITE.create_recipient_context(
                enc, SUITE.kem.deserialize_private_key(secret), REQUEST_LABEL + b"\0" + header
            )
        except (PyHPKEError, ValueError):
            raise UnopenedError(_DAMAGED) from None
        self._enc = enc
        self.request: Opener = _Hpke(self._context)

    def response(self, nonce: bytes | None = None) -> tuple[bytes, Sealer]:
        """The 32 bytes that the answer begins with, and what seals its chunks. A nonce is given by tests only."""
        drawn = os.urandom(RESPONSE_NONCE_SIZE) if nonce is None else nonce
        return drawn, _answer(self._context, self._enc, drawn)
