"""Is this chain from a CA the one that was ordered: for the door's key, and its names?

What a CA answers is somebody else's text. Only what passes here is installed, and as the door writes it: certificates
in PEM form with nothing between them (RFC 8555, section 9.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from .tls import PrivateKey, TlsError, load_chain, spki_sha256

MAX_CERTIFICATES = 8


@dataclass(frozen=True)
class Chain:
    """A chain that fits: `pem` as the door writes it, and the first certificate's validity (seconds since 1970)."""

    pem: bytes
    not_before: float
    not_after: float

    def spent(self, share: float) -> float:
        """The moment at which `share` (0 to 1) of the validity is over, in seconds since 1970."""
        return self.not_before + share * (self.not_after - self.not_before)


def moment(seconds: float) -> str:
    """A time as people read it, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s after 1970"


def request(key: PrivateKey, names: Sequence[str]) -> bytes:
    """A certificate signing request (PKCS #10, PEM) for these DNS names."""
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    extension = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.add_extension(extension, critical=True).sign(key, algorithm).public_bytes(Encoding.PEM)


def read(pem: bytes, key: PrivateKey, names: Sequence[str]) -> Chain:
    """Judge a PEM chain, the door's own certificate first, for this key and these DNS names; whether it is in date is
    looked at when it is shown (`door.tls.Certificates.install`).

    Raises `TlsError` with a sentence that says what does not fit.
    """
    certificates = load_chain(pem, "The chain")
    leaf = certificates[0]
    if spki_sha256(leaf) != spki_sha256(key):
        raise TlsError("The certificate is for another key than the one drawn here.")
    found = {name.lower() for name in _names(leaf)}
    if missing := [name for name in names if name.lower() not in found]:
        raise TlsError(f"The certificate does not name {missing[0]}, but {_listed(sorted(found))}.")
    if len(certificates) > MAX_CERTIFICATES:
        raise TlsError(f"The chain has more than {MAX_CERTIFICATES} certificates.")
    for lower, upper in pairwise(certificates):
        _check_issued(lower, upper)
    start, end = (value.timestamp() for value in (leaf.not_valid_before_utc, leaf.not_valid_after_utc))
    return Chain(b"".join(each.public_bytes(Encoding.PEM) for each in certificates), start, end)


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        yield from extension.value.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:100] for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "nothing"


def _check_issued(lower: x509.Certificate, upper: x509.Certificate) -> None:
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise TlsError("Its certificates are not a chain: one is not signed by the next.") from None
