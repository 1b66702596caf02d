"""The test PKI: keys, certificates and CRLs with the shape and the names of Intel's (PCK certificate specification).

Every key follows from its name, so that a regenerated PKI is the same PKI and every machine simulates under the same
root. That also means that nobody can mistake these keys for secrets.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

from .sgx_extension import SGX_EXTENSION, sgx_extension

FOLDER = Path(__file__).resolve().parent / "pki"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256

ROOT_NAME = "Intel SGX Root CA"
PLATFORM_CA_NAME = "Intel SGX PCK Platform CA"
PCK_NAME = "Intel SGX PCK Certificate"
TCB_SIGNING_NAME = "Intel SGX TCB Signing"

NOT_BEFORE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
NOT_AFTER = dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
CRL_URL = "https://simulator.invalid/rootcacrl"  # a name that never resolves (RFC 2606)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of that name."""
    seed = hashlib.sha512(b"open-webui-tdx simulator key: " + name.encode()).digest()
    return ec.derive_private_key(int.from_bytes(seed) % (ORDER - 1) + 1, ec.SECP256R1())


def public_bytes(name: str) -> bytes:
    """The public key of that name as 64 bytes, x || y, big-endian."""
    raw = key(name).public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return raw[1:]


def sign(name: str, data: bytes) -> bytes:
    """ECDSA P-256 with SHA-256 as the raw 64 bytes r || s, repeatable where OpenSSL can (RFC 6979)."""
    try:
        der = key(name).sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    except UnsupportedAlgorithm:
        der = key(name).sign(data, ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32) + s.to_bytes(32)


def distinguished_name(common_name: str) -> x509.Name:
    """Intel's order: CN, O, L, ST, C."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Intel Corporation"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Santa Clara"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "CA"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        ]
    )


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=not ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def issue(
    subject: str,
    *,
    subject_key: str,
    issuer: str,
    issuer_key: str,
    ca_path_length: int | None = None,
    sgx: bytes | None = None,
    not_before: dt.datetime = NOT_BEFORE,
    not_after: dt.datetime = NOT_AFTER,
) -> x509.Certificate:
    """A certificate with Intel's extensions; a CA if `ca_path_length` is given, a PCK leaf if `sgx` (DER) is."""
    ca = ca_path_length is not None
    label = f"{subject}|{subject_key}|{issuer}|{issuer_key}|{not_before}|{not_after}|{sgx!r}"
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(subject))
        .issuer_name(distinguished_name(issuer))
        .public_key(key(subject_key).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(label.encode()).digest()[:20]) >> 1)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key(issuer_key).public_key()), critical=False)
        .add_extension(
            x509.CRLDistributionPoints(
                [x509.DistributionPoint([x509.UniformResourceIdentifier(CRL_URL)], None, None, None)]
            ),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key(subject_key).public_key()), critical=False)
        .add_extension(_key_usage(ca), critical=True)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=ca_path_length), critical=True)
    )
    if sgx is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(SGX_EXTENSION, sgx), critical=False)
    return _sign_certificate(builder, issuer_key)


def _sign_certificate(builder: x509.CertificateBuilder, issuer_key: str) -> x509.Certificate:
    try:
        return builder.sign(key(issuer_key), hashes.SHA256(), ecdsa_deterministic=True)
    except (TypeError, UnsupportedAlgorithm):  # an older cryptography or OpenSSL
        return builder.sign(key(issuer_key), hashes.SHA256())


def crl(
    issuer: str,
    issuer_key: str,
    *,
    this_update: dt.datetime,
    next_update: dt.datetime,
    number: int = 1,
    revoked: Iterable[int] = (),
) -> bytes:
    """A version 2 CRL in DER, with CRL number and authority key identifier; `revoked` lists serial numbers."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(distinguished_name(issuer))
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key(issuer_key).public_key()), critical=False)
    )
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(this_update)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            .build()
        )
    try:
        signed = builder.sign(key(issuer_key), hashes.SHA256(), ecdsa_deterministic=True)
    except (TypeError, UnsupportedAlgorithm):
        signed = builder.sign(key(issuer_key), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def _issue_main(name: str) -> x509.Certificate:
    match name:
        case "root":
            return issue(ROOT_NAME, subject_key="root", issuer=ROOT_NAME, issuer_key="root", ca_path_length=1)
        case "platform-ca":
            return issue(
                PLATFORM_CA_NAME, subject_key="platform-ca", issuer=ROOT_NAME, issuer_key="root", ca_path_length=0
            )
        case "pck":
            return issue(
                PCK_NAME,
                subject_key="pck",
                issuer=PLATFORM_CA_NAME,
                issuer_key="platform-ca",
                sgx=sgx_extension(),
            )
        case "tcb-signing":
            return issue(TCB_SIGNING_NAME, subject_key="tcb-signing", issuer=ROOT_NAME, issuer_key="root")
    raise ValueError(f"no certificate is called {name!r}")


CERTIFICATES = ("root", "platform-ca", "pck", "tcb-signing")


@cache
def certificate(name: str) -> x509.Certificate:
    """One of the published certificates, as committed."""
    if name not in CERTIFICATES:
        raise ValueError(f"no certificate is called {name!r}")
    return x509.load_der_x509_certificate((FOLDER / f"{name}.der").read_bytes())


def root_der() -> bytes:
    """The published test root, DER."""
    return (FOLDER / "root.der").read_bytes()


def pem_chain(*certificates: x509.Certificate) -> str:
    """PEM, in the order given (leaf first)."""
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in certificates)


def generate(folder: Path = FOLDER) -> None:
    """Write the published certificates and every key. Running it again writes the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in CERTIFICATES:
        (folder / f"{name}.der").write_bytes(_issue_main(name).public_bytes(serialization.Encoding.DER))
    for name in (*CERTIFICATES, "attestation"):
        (folder / f"{name}.key").write_bytes(
            key(name).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
