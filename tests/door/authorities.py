"""A certificate authority in memory, for tests: what it signs, it signs for anybody."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def draw() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class TestAuthority:
    """One root, which signs leaves itself."""

    __test__ = False

    name: str = "A test's CA"
    key: ec.EllipticCurvePrivateKey = field(default_factory=draw)
    days: int = 3650

    @cached_property
    def root(self) -> bytes:
        now = datetime.now(UTC)
        builder = self._builder(_name(self.name), self.key.public_key(), now - timedelta(days=1), self.days)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False
        )  # fmt: skip
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def leaf(self, public: Any, *names: str, start: datetime | None = None, days: float = 90) -> bytes:
        """A certificate for `public` and `names`, valid from `start` (now) for `days`."""
        builder = self._builder(_name(names[0]), public, start or datetime.now(UTC) - timedelta(minutes=1), days)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(self, subject: x509.Name, public: Any, start: datetime, days: float) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(_name(self.name)).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
        builder = builder.not_valid_after(start + timedelta(days=days))
        issuer = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), False)
