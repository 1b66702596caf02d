"""The one key and suite of the channel, in the form of RFC 9458, section 3.

`key_id(1) kem_id(2) public_key(32) length(2) [kdf_id(2) aead_id(2)]`, big-endian. There is one suite: another one later
is another key configuration, bound by a quote, so that nobody on the way can choose the weaker.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pyhpke import AEADId, CipherSuite, KDFId, KEMId

from .errors import MalformedError, UnknownKeyError

KEM, KDF, AEAD = KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM
SUITE = CipherSuite.new(KEM, KDF, AEAD)
ENCAPSULATED_SIZE = 32  # bytes, of DHKEM(X25519)
KEY_SIZE, NONCE_SIZE, TAG_SIZE = 32, 12, 16  # bytes, of AES-256-GCM
HEADER = struct.Struct(">BHHH")  # key, KEM, KDF, AEAD: how every request begins
_FORM = struct.Struct(">BH32sHHH")


@dataclass(frozen=True)
class KeyConfig:
    """Whom to seal to: `key_id` from 0 to 255, and an X25519 public key of 32 bytes."""

    key_id: int
    public_key: bytes

    def encode(self) -> bytes:
        """The 41 bytes of RFC 9458's form."""
        return _FORM.pack(self.key_id, KEM.value, self.public_key, 4, KDF.value, AEAD.value)

    @property
    def header(self) -> bytes:
        """The 7 bytes by which a request names key and suite."""
        return HEADER.pack(self.key_id, KEM.value, KDF.value, AEAD.value)


def decode(data: bytes) -> KeyConfig:
    """MalformedError unless `data` is exactly one key with the one suite; UnknownKeyError for another suite."""
    if len(data) != _FORM.size:
        raise MalformedError(f"a key configuration has {_FORM.size} bytes here, not {len(data)}")
    key_id, kem, public_key, length, kdf, aead = _FORM.unpack(data)
    if (kem, length, kdf, aead) != (KEM.value, 4, KDF.value, AEAD.value):
        raise UnknownKeyError(
            f"the channel's suite is KEM {kem}, KDF {kdf}, AEAD {aead}; this side knows 32, 1, 2 only"
        )
    return KeyConfig(key_id, public_key)
