"""The key to which a key broker seals what it releases: drawn for one launch, in memory alone.

JWE (RFC 7516, 7518), in the one way that the broker's clients ask for by default: `ECDH-ES+A256KW` on P-256, and
`A256GCM`. Everything else in a header is refused, so there is nothing to choose for whoever answers.
"""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

ALGORITHM, ENCRYPTION, CURVE = "ECDH-ES+A256KW", "A256GCM", "P-256"
SIZE = 32  # bytes, of a coordinate and of each AES key
NONCE_SIZE, TAG_SIZE = 12, 16  # bytes


class SealedError(Exception):
    """What was sent is not sealed to this key in that way; the text is a clause."""


class LaunchKey:
    """One key pair. `x` and `y` are its point as base64url; `secret` is given by tests only."""

    def __init__(self, secret: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._secret = secret or ec.generate_private_key(ec.SECP256R1())
        point = self._secret.public_key().public_numbers()
        self.x, self.y = (_text(number.to_bytes(SIZE, "big")) for number in (point.x, point.y))

    @property
    def public(self) -> dict[str, str]:
        """The public key as a JWK."""
        return {"kty": "EC", "crv": CURVE, "alg": ALGORITHM, "x": self.x, "y": self.y}

    def open(self, jwe: Any) -> bytes:
        """The plain text of a JWE in its flattened JSON serialization. Raises SealedError."""
        try:
            if set(jwe) != {"protected", "encrypted_key", "iv", "ciphertext", "tag"}:
                raise SealedError("the answer is no JWE with a protected header alone")
            parts = {name: _bytes(text) for name, text in jwe.items()}
            key = aes_key_unwrap(self._wrapping_key(json.loads(parts["protected"])), parts["encrypted_key"])
            if (len(key), len(parts["iv"]), len(parts["tag"])) != (SIZE, NONCE_SIZE, TAG_SIZE):
                raise SealedError("the answer has parts of other sizes than A256GCM's")
            return AESGCM(key).decrypt(parts["iv"], parts["ciphertext"] + parts["tag"], jwe["protected"].encode())
        except (InvalidUnwrap, InvalidTag):
            raise SealedError("the answer is sealed to another key than this launch's, or was changed") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise SealedError("the answer is no JWE of this form") from None

    def _wrapping_key(self, header: Any) -> bytes:
        """RFC 7518, section 4.6.2."""
        if set(header) != {"alg", "enc", "epk"} or (header["alg"], header["enc"]) != (ALGORITHM, ENCRYPTION):
            raise SealedError(f"the answer is sealed in another way than {ALGORITHM} with {ENCRYPTION}")
        theirs = header["epk"]
        if (theirs["kty"], theirs["crv"]) != ("EC", CURVE):
            raise SealedError(f"the answer is sealed on another curve than {CURVE}")
        x, y = (int.from_bytes(_bytes(theirs[name]), "big") for name in ("x", "y"))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()  # ValueError: not on the curve
        agreed = self._secret.exchange(ec.ECDH(), public)
        name = ALGORITHM.encode()
        # AlgorithmID, then PartyUInfo and PartyVInfo, which are empty, then the length in bits
        info = struct.pack(f">I{len(name)}sIII", len(name), name, 0, 0, 8 * SIZE)
        return ConcatKDFHash(SHA256(), SIZE, info).derive(agreed)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
