"""Separation of roles in Intel's PKI: each certificate used only for its own job, each chain exactly its certificates.

dcap-qvl proves that each path ends at the root, but any end-entity certificate of the PKI would do as signer of TCB
info: with one broken machine's PCK key an attacker could then declare every platform up to date. And it looks for a
path among the certificates given, whatever their order and whatever else there is. Names, extensions and the CA flag
are inside what the issuer signed, so after the path is proven they can be relied on.
(Intel SGX PCK Certificate and CRL Profile Specification, sections 1.3 and 1.5.)
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .collateral import Collateral
from .der import BASIC_CONSTRAINTS, KEY_USAGE, P256_KEY, CertificateParts, certificate_parts
from .errors import Malformed
from .pck import SGX_OID, read_pck
from .quote import Quote

DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN = 0x80, 0x04, 0x02  # of the first byte of a key usage
PCK_CAS = ("Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA")
ROOT = "Intel SGX Root CA"
# in how many ways the library says that it cannot read what somebody signed
UNREADABLE = (
    Malformed,
    ValueError,
    TypeError,
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True)
class Role:
    """What a certificate must be to act in a role; a CA signs certificates and CRLs, the others anything but these."""

    name: str
    subjects: tuple[str, ...]
    issuers: tuple[str, ...]
    ca: bool = False
    sgx: bool = False


ROOT_CA = Role("root CA", (ROOT,), (ROOT,), ca=True)
PCK_CA = Role("PCK CA", PCK_CAS, (ROOT,), ca=True)
PCK = Role("PCK", ("Intel SGX PCK Certificate",), PCK_CAS, sgx=True)
TCB_SIGNING = Role("TCB signing", ("Intel SGX TCB Signing",), (ROOT,))
CHAINS = {
    "pck_crl_issuer_chain": (PCK_CA,),
    "tcb_info_issuer_chain": (TCB_SIGNING,),
    "qe_identity_issuer_chain": (TCB_SIGNING,),
}


def _common_name(name: x509.Name) -> str:
    values = [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return values[0] if len(values) == 1 else f"{len(values)} common names"


def _is_ca(parts: CertificateParts) -> bool:
    """Of the basic constraints, in DER: empty, or true and perhaps a path length of one byte. Raises `Malformed`."""
    value = parts.extensions.get(BASIC_CONSTRAINTS, b"\x30\x00")
    if value == b"\x30\x00":
        return False
    length = len(value) == 8 and value[:7] == b"\x30\x06\x01\x01\xff\x02\x01" and value[7] < 0x80
    if value != b"\x30\x03\x01\x01\xff" and not length:
        raise Malformed("its basic constraints are not DER")
    return True


def _usage_fits(parts: CertificateParts, ca: bool) -> bool:
    """Of the key usage, a BIT STRING of one byte. Raises `Malformed`."""
    value = parts.extensions.get(KEY_USAGE)
    if value is None:
        return False
    if len(value) != 4 or value[:2] != b"\x03\x02" or value[2] > 7 or value[3] & ((1 << value[2]) - 1):
        raise Malformed("its key usage is not DER, or has more than one byte")
    signs = value[3] & (KEY_CERT_SIGN | CRL_SIGN)
    return signs == KEY_CERT_SIGN | CRL_SIGN if ca else bool(value[3] & DIGITAL_SIGNATURE) and not signs


def _certificate_fault(certificate: x509.Certificate, role: Role, now: datetime) -> str | None:
    """Why `certificate` cannot act as `role` at `now`, to follow its name; `None` if it can."""
    parts = certificate_parts(certificate.public_bytes(Encoding.DER))
    subject, issuer = _common_name(certificate.subject), _common_name(certificate.issuer)
    if subject not in role.subjects:
        return f"is named {subject!r}, expected {' or '.join(map(repr, role.subjects))}"
    if issuer not in role.issuers:
        return f"was issued by {issuer!r}, which issues no {role.name} certificates"
    if _is_ca(parts) != role.ca:
        return "is no CA" if role.ca else "is a CA"
    if (SGX_OID in parts.extensions) != role.sgx:
        return "lacks the SGX extension" if role.sgx else "has the SGX extension of a PCK certificate"
    if len(parts.key) != len(P256_KEY) + 64 or not parts.key.startswith(P256_KEY):
        return "has no P-256 key"
    if not _usage_fits(parts, role.ca):
        return f"has a key usage that does not fit a {role.name} certificate"
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= now <= end:
        return f"is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}, not on {now:%Y-%m-%d}"
    return None


def _chain_fault(
    chain: tuple[bytes, ...], roles: tuple[Role, ...], root: bytes, now: datetime, what: str
) -> str | None:
    """A sentence unless `chain` is exactly `roles`, leaf first, and `root`; a quote's may end before the root."""
    if chain[-1] != root and roles[0] is not PCK:
        return f"the {what} does not end with the root"
    links = chain[:-1] if chain[-1] == root else chain
    if len(links) != len(roles):
        return f"the number of certificates below the root in the {what} is {len(links)}, expected {len(roles)}"
    for number, (der, role) in enumerate(zip(links, roles, strict=True), start=1):
        found = _certificate_fault(x509.load_der_x509_certificate(der), role, now)
        if found:
            return f"certificate {number} of the {what} {found}"
    names = [certificate_parts(der) for der in (*links, root)]
    for number, (below, above) in enumerate(pairwise(names), start=1):
        if below.issuer != above.subject:
            return f"certificate {number} of the {what} does not name the next one as its issuer"
    return None


def _pce_fault(quote: Quote, collateral: Collateral) -> str | None:
    """TCB info is for one provisioning enclave; dcap-qvl compares its FMSPC but not its PCE id."""
    actual, expected = collateral.documents["tcb_info"]["pceId"], read_pck(quote.pck_chain[0]).pce_id.hex()
    if actual.lower() != expected:
        return f"the TCB info is for PCE id {actual}, the platform's is {expected}"
    return None


def role_fault(quote: Quote, collateral: Collateral, root: bytes, now: int) -> str | None:
    """A sentence if a certificate is used outside its role, if a chain is not exactly what it should be or if one of
    its certificates (DER) is not valid at `now` (Unix seconds). Call only after the paths are proven."""
    moment = datetime.fromtimestamp(now, UTC)
    try:
        fault = _chain_fault(quote.pck_chain, (PCK, PCK_CA), root, moment, "quote's chain")
        for name, roles in CHAINS.items():
            fault = fault or _chain_fault(collateral.chains[name], roles, root, moment, name)
        anchor = _certificate_fault(x509.load_der_x509_certificate(root), ROOT_CA, moment)
        return fault or (f"the root {anchor}" if anchor else None) or _pce_fault(quote, collateral)
    except UNREADABLE as error:
        return f"a certificate cannot be parsed: {error}"
