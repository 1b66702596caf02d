"""The door's TLS key and certificate: drawn in this process or given by the operator, and swapped while it serves.

The private key is never in a file of this process: OpenSSL reads it from a memfd, which has no name in any folder.
A certificate for the same key is exchanged on the living context, so that new handshakes get it and no connection ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SELF_SIGNED_DAYS = 365
#: A clock may differ from this machine's by that much and the fresh certificate still be valid.
BACKDATED = timedelta(hours=1)
MAX_CHAIN_BYTES = 256 * 1024
#: TLS 1.2, for who must: forward secrecy and authenticated encryption only.
CIPHERS_12 = "ECDHE+AESGCM:ECDHE+CHACHA20"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class TlsError(Exception):
    """Key or certificate cannot be used; the text is one sentence."""


def draw() -> bytes:
    """A new private key (ECDSA, P-256) as PKCS #8 PEM."""
    return _private_pem(ec.generate_private_key(ec.SECP256R1()))


def _private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_key(pem: bytes, what: str) -> PrivateKey:
    """The private key in `pem`; `what` names it in the sentence of a TlsError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise TlsError(
            f"{what} is encrypted with a passphrase, which nobody is there to type: give it without."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise TlsError(f"{what} is not a private key in PEM form.") from None
    if not isinstance(key, PrivateKey):
        raise TlsError(f"{what} is not a key that TLS uses: take an elliptic-curve or RSA key.")
    return key


def load_chain(pem: bytes, what: str) -> list[x509.Certificate]:
    """The certificates in `pem`, the server's own first; `what` names them in the sentence of a TlsError."""
    if len(pem) > MAX_CHAIN_BYTES:
        raise TlsError(f"{what} is longer than {MAX_CHAIN_BYTES} bytes, which no chain of certificates is.")
    try:
        chain = x509.load_pem_x509_certificates(pem)
        chain[0].public_key()
    except (ValueError, IndexError, UnsupportedAlgorithm):
        raise TlsError(f"{what} holds no certificate in PEM form.") from None
    return chain


def spki_sha256(key: PrivateKey | x509.Certificate) -> str:
    """SHA-256, hex, of the public key's SubjectPublicKeyInfo (DER; RFC 5280, 4.1)."""
    public = key.public_key()
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@dataclass
class Certificates:
    """One private key, and the certificate that the door shows for it now.

    `key_pem` is the private key (PKCS #8 PEM); `kind` is `drawn` (in this process) or `given` (somebody else may hold
    it); `names` are the host names and IP addresses that a certificate is for, the first one the main one.
    """

    key_pem: bytes
    names: tuple[str, ...]
    kind: str

    def __post_init__(self) -> None:
        self._key = load_key(self.key_pem, "The TLS key")
        self._chain: list[x509.Certificate] = []
        self.context = server_context()

    def __repr__(self) -> str:
        return f"Certificates({self.kind}, {self.names})"

    @property
    def spki_sha256(self) -> str:
        """What the attester binds and a client compares (64 hex digits)."""
        return spki_sha256(self._key)

    @property
    def bound(self) -> dict[str, str]:
        """What the attester is to bind: the value of `tls` in `runtime_data`."""
        return {"spki_sha256": self.spki_sha256, "key": self.kind}

    @property
    def not_after(self) -> datetime | None:
        """When the certificate that is shown now expires (UTC); None before there is one."""
        return self._chain[0].not_valid_after_utc if self._chain else None

    def is_due(self, now: datetime, early: timedelta) -> bool:
        """Whether the certificate that is shown has to be made anew: it ends within `early`, or, the clock having been
        set back, has not begun."""
        return (
            not self._chain
            or not self._chain[0].not_valid_before_utc <= now < self._chain[0].not_valid_after_utc - early
        )

    def shown_names(self) -> frozenset[str]:
        """Host names (lower case) and IP addresses that the certificate that is shown now is for."""
        try:
            found = self._chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, IndexError):
            return frozenset()
        addresses = map(str, found.get_values_for_type(x509.IPAddress))
        return frozenset((*map(str.lower, found.get_values_for_type(x509.DNSName)), *addresses))

    def install(self, chain_pem: bytes, now: datetime | None = None) -> None:
        """Show this chain (PEM, the server's own certificate first) from the next handshake on.

        Raises TlsError, and the certificate before it stays, unless it is for this key and in date.
        """
        chain = load_chain(chain_pem, "The certificate")
        check_dates(chain[0], now or datetime.now(UTC))
        if spki_sha256(chain[0]) != self.spki_sha256:
            raise TlsError(
                "The certificate is for another key than the private key: give the two that belong together."
            )
        with _in_memory(chain_pem) as certificate, _in_memory(self.key_pem) as key:
            try:
                self.context.load_cert_chain(certificate, key)
            except ssl.SSLError as error:
                raise TlsError(f"The certificate cannot be used: {error.reason or error}.") from None
        self._chain = chain

    def take(self, other: Certificates) -> None:
        """Show the key and certificate of `other` from the next handshake on; connections that are open go on.

        With a context of its own: one that had an EC key and gets an RSA one shows either, and a client that resumes
        an old session would not see the new key.
        """
        self.key_pem, self._key, self._chain = other.key_pem, other._key, other._chain
        self.context = other.context

    def self_sign(self, now: datetime | None = None) -> None:
        """Make a certificate that nobody vouches for, for `names`, and show it."""
        now = now or datetime.now(UTC)
        self.install(_self_signed(self._key, self.names, now), now)


def check_dates(certificate: x509.Certificate, now: datetime) -> None:
    """Raises TlsError unless `certificate` is in date at `now`."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise TlsError(
            f"The certificate expired at {end:%Y-%m-%d %H:%M} UTC, and this machine's clock says {now:%Y-%m-%d %H:%M}: "
            "renew the certificate, or set the clock."
        )
    if now < start:
        raise TlsError(
            f"The certificate is valid only from {start:%Y-%m-%d %H:%M} UTC, and this machine's clock says "
            f"{now:%Y-%m-%d %H:%M}: set the clock."
        )


def check_names(certificates: Certificates, names: Sequence[str]) -> None:
    """Raises TlsError unless the certificate that is shown is for each of `names` (RFC 6125, 6.4)."""
    shown = certificates.shown_names()
    for name in names:
        wildcard = "*." + name.partition(".")[2]
        if name.strip("[]") not in shown and wildcard not in shown:
            raise TlsError(
                f"The certificate is for {', '.join(sorted(shown)) or 'no name'}, not for {name}: browsers refuse it."
            )


def server_context() -> ssl.SSLContext:
    """TLS 1.3, 1.2 for who must, HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_12)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _self_signed(key: PrivateKey, names: Sequence[str], now: datetime) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=SELF_SIGNED_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, algorithm)
    )
    return certificate.public_bytes(Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path by which this process alone, and only now, can open `content`: OpenSSL's binding takes nothing else."""
    handle = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.write(handle, content)
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
