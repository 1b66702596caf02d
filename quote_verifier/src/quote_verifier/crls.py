"""The two CRLs of the collateral, beyond what dcap-qvl asks of them: their number, their date, and who issued them.

dcap-qvl's Rust does not read the PCK CRL's issuer chain and takes CRLs from the future; its JavaScript refuses both.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from .collateral import Collateral
from .der import CRL_NUMBER, INTEGER, content, crl_extensions, natural
from .errors import Malformed
from .roles import UNREADABLE

CRLS = ("root_ca_crl", "pck_crl")


def _crl(text: str) -> x509.CertificateRevocationList:
    try:
        return x509.load_der_x509_crl(bytes.fromhex(text))
    except UNREADABLE:
        raise Malformed("the collateral holds a CRL that cannot be parsed") from None


def crl_number(text: str) -> int:
    """The CRL number (RFC 5280, 5.2.3) of a CRL (DER, hex), 0 if there is none. Raises `Malformed`."""
    try:
        value = crl_extensions(bytes.fromhex(text)).get(CRL_NUMBER)
        number = natural(content(value, INTEGER), 2**160) if value is not None else 0
    except Malformed as error:
        raise Malformed(f"the collateral holds a CRL that cannot be parsed: {error}") from None
    if number >= 2**32:  # dcap-qvl reads no greater one
        raise Malformed("the number of a CRL of the collateral is beyond 2^32")
    return number


def _issuer_fault(crl: x509.CertificateRevocationList, issuer: x509.Certificate, root: x509.Certificate) -> str | None:
    try:
        issuer.verify_directly_issued_by(root)
        key = issuer.public_key()
    except UNREADABLE:
        return "the issuer of the collateral's pck_crl was not issued by the root"
    if (
        not isinstance(key, ec.EllipticCurvePublicKey)
        or crl.issuer != issuer.subject
        or not crl.is_signature_valid(key)
    ):
        return "the collateral's pck_crl was not issued by the first certificate of its pck_crl_issuer_chain"
    return None


def crl_fault(collateral: Collateral, root_der: bytes, now: int) -> str | None:
    """A sentence if a CRL is from after `now` (Unix seconds), or the PCK CRL is not of the issuer that the collateral
    names. Call only after roles and paths are proven. Raises `Malformed`."""
    crls = {name: _crl(collateral.members[name]) for name in CRLS}
    try:
        for name, crl in crls.items():
            issued = crl.last_update_utc
            if issued > datetime.fromtimestamp(now, UTC):
                return (
                    f"the collateral's {name} was issued on {issued:%Y-%m-%d %H:%M} UTC, after the time of this check"
                )
        issuer = x509.load_der_x509_certificate(collateral.chains["pck_crl_issuer_chain"][0])
        if crls["root_ca_crl"].get_revoked_certificate_by_serial_number(issuer.serial_number):
            return "the root revoked the issuer of the collateral's pck_crl"
        return _issuer_fault(crls["pck_crl"], issuer, x509.load_der_x509_certificate(root_der))
    except UNREADABLE as error:
        raise Malformed(f"the collateral holds a CRL or an issuer that cannot be read: {error}") from None
