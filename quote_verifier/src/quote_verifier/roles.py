"""Separation of roles in Intel's PKI: each certificate used only for its own job.

dcap-qvl proves that each path ends at the root, but any end-entity certificate of the PKI would do as signer of TCB
info: with one broken machine's PCK key an attacker could then declare every platform up to date. Names, extensions and
the CA flag are inside what the issuer signed, so after the path is proven they can be relied on.
(Intel SGX PCK Certificate and CRL Profile Specification, sections 1.3 and 1.5.)
"""

import dcap_qvl  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.x509.oid import NameOID

from .collateral import Collateral, pem
from .quote import Quote

SGX_EXTENSION = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
PCK_SUBJECT = "Intel SGX PCK Certificate"
PCK_ISSUERS = ("Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA")
SIGNER_SUBJECT = "Intel SGX TCB Signing"


def _common_name(name: x509.Name) -> str:
    values = [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return values[0] if len(values) == 1 else f"{len(values)} common names"


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _has_sgx_extension(certificate: x509.Certificate) -> bool:
    return any(extension.oid == SGX_EXTENSION for extension in certificate.extensions)


def _pck_fault(leaf: x509.Certificate) -> str | None:
    if _common_name(leaf.subject) != PCK_SUBJECT:
        return f"the quote is signed by a certificate named {_common_name(leaf.subject)!r}, expected {PCK_SUBJECT!r}"
    if _common_name(leaf.issuer) not in PCK_ISSUERS:
        return f"the PCK certificate was issued by {_common_name(leaf.issuer)!r}, which issues no PCK certificates"
    if _is_ca(leaf) or not _has_sgx_extension(leaf):
        return "the PCK certificate is a CA or lacks the SGX extension"
    return None


def _signer_fault(leaf: x509.Certificate, root: x509.Certificate, what: str) -> str | None:
    if _common_name(leaf.subject) != SIGNER_SUBJECT:
        return (
            f"the {what} is signed by a certificate named {_common_name(leaf.subject)!r}, expected {SIGNER_SUBJECT!r}"
        )
    if leaf.issuer != root.subject:
        return f"the signer of the {what} was issued by {_common_name(leaf.issuer)!r}, not by the root"
    if _is_ca(leaf) or _has_sgx_extension(leaf):
        return f"the signer of the {what} is a CA or a PCK certificate"
    return None


def _pce_fault(quote: Quote, collateral: Collateral) -> str | None:
    """TCB info is for one provisioning enclave; dcap-qvl compares its FMSPC but not its PCE id."""
    extension = dcap_qvl.parse_pck_extension_from_pem(pem(quote.pck_chain[:1]).encode())
    actual, expected = collateral.documents["tcb_info"].get("pceId"), extension.pce_id.hex()
    if not isinstance(actual, str) or actual.lower() != expected:
        return f"the TCB info is for PCE id {str(actual)[:16]}, the platform's is {expected}"
    return None


def role_fault(quote: Quote, collateral: Collateral, root_der: bytes) -> str | None:
    """A sentence if a certificate is used outside its role, else `None`. Call only after the paths are proven."""
    try:
        root = x509.load_der_x509_certificate(root_der)
        pck = x509.load_der_x509_certificate(quote.pck_chain[0])
        fault = _pck_fault(pck)
        for what, chain in (("TCB info", "tcb_info_issuer_chain"), ("QE identity", "qe_identity_issuer_chain")):
            signer = x509.load_der_x509_certificate(collateral.chains[chain][0])
            fault = fault or _signer_fault(signer, root, what)
        return fault or _pce_fault(quote, collateral)
    except (ValueError, TypeError) as error:
        return f"a certificate cannot be parsed: {error}"
