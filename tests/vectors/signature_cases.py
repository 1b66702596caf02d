"""Cases about signatures, certificates, collateral and the roles in the PKI."""

import ssl

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from simulator import pki
from simulator.collateral import collateral
from simulator.plans.quote import Plan, assemble
from simulator.sgx_extension import sgx_extension
from tests.agreement.certificates import resigned
from tests.vectors.ground import (
    EVENTS,
    GOOD,
    NOW,
    W,
    bare,
    bundle,
    case,
    log_of,
    quote_for,
    runtime_data,
    stopped,
    stray_bits,
)


def below_cases() -> None:
    """Genuine, but below every level that the collateral lists: the signature holds, nothing accepts the TCB."""
    every = {"v": 1, "tcb": {"accepted_statuses": ["OutOfDate", "OutOfDateConfigurationNeeded"]}}
    for fault, version in (
        ("qe-below-levels", 4),
        ("module-below-levels", 4),
        ("module-below-levels", 5),
        ("tcb-below-levels", 4),
        ("wrong-tee-tcb-svn2", 5),
    ):
        quote = quote_for(runtime_data(), log_of(EVENTS), version=version, fault=fault)
        name = f"signature-{fault}" + ("-v5" if version == 5 and fault == "module-below-levels" else "")
        about = f"Quote fault {fault}: genuine, and below every TCB level, whatever the policy accepts"
        given = {"quote": W.quote(name, quote), "collateral": W.collateral()}
        held = {"test_root_is_genuine": True, "policy": every}
        W.add(name, about, "not-acceptable", {"quote.tcb": "fail"}, bare=given, options=held)
        broken = bytearray(quote)
        broken[600] ^= 1  # in the report: dcap-qvl stops at the QE before it has looked at this signature
        about = f"The same, and its report is forged: {fault}"
        bare(f"{name}-forged", about, "not-genuine", "quote.signature", bytes(broken))
    given = {"quote": W.quote("good", GOOD), "collateral": W.collateral("no-matching-level")}
    about = "Collateral whose levels are all above the platform"
    held = {"test_root_is_genuine": True}
    W.add("collateral-no-matching-level", about, "not-acceptable", {"quote.tcb": "fail"}, bare=given, options=held)
    for name, faults in (
        ("module-below-levels-other-signer", {"collateral": "wrong-module-signer", "quote": "module-below-levels"}),
        ("tcb-below-levels-other-signer", {"collateral": "wrong-module-signer", "quote": "tcb-below-levels"}),
        ("qe-below-levels-other-identity", {"collateral": "wrong-qe-identity", "quote": "qe-below-levels"}),
        ("qe-below-levels-other-fmspc", {"collateral": "other-fmspc", "quote": "qe-below-levels"}),
        ("qe-below-levels-other-module", {"collateral": "wrong-module-signer", "quote": "qe-below-levels"}),
    ):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=faults["quote"])
        about = f"Below every level, and not what the collateral describes either: {faults['collateral']}"
        bare(f"signature-{name}", about, "not-genuine", "quote.signature", quote, faults["collateral"])


QUOTE_FAULTS = (
    "corrupt-header",
    "corrupt-body",
    "corrupt-signature",
    "corrupt-attestation-key",
    "corrupt-qe-report",
    "corrupt-qe-signature",
    "wrong-attestation-key",
    "qe-report-data",
    "qe-report-signer",
    "qe-auth-data-size",
    "wrong-qe-identity",
    "wrong-qe-signer",
    "qe-debug",
    "wrong-seam-signer",
    "seam-attributes",
    "unknown-module",
    "other-fmspc",
    "expired-pck",
    "future-pck",
    "expired-ca",
    "pck-issued-by-pck",
    "issuer-name",
    "foreign-root",
    "no-sgx-extension",
    "no-intermediate",
    "leaf-only",
)
COLLATERAL_FAULTS = (
    "expired",
    "expired-tcb-info",
    "expired-qe-identity",
    "expired-root-crl",
    "expired-pck-crl",
    "future",
    "expired-signing-certificate",
    "revoked-pck",
    "revoked-ca",
    "revoked-tcb-signing",
    "forged-root-crl",
    "forged-pck-crl",
    "garbage-root-crl",
    "garbage-pck-crl",
    "wrong-issuer-pck-crl",
    "other-fmspc",
    "other-pce-id",
    "sgx-tcb-info",
    "sgx-qe-identity",
    "wrong-qe-identity",
    "wrong-module-signer",
    "tampered-tcb-info",
    "tampered-qe-identity",
    "tcb-info-signed-by-pck",
    "qe-identity-signed-by-pck",
    "foreign-root",
)


def signature_cases() -> None:
    for fault in QUOTE_FAULTS:
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        bare(f"signature-{fault}", f"Quote fault {fault}", "not-genuine", "quote.signature", quote)
    for fault in COLLATERAL_FAULTS:
        bare(f"collateral-{fault}", f"Collateral fault {fault}", "not-genuine", "quote.signature", GOOD, fault)
    case(
        "signature-forged",
        "A forged body in a whole bundle",
        "not-genuine",
        stopped("quote.signature"),
        bundle("corrupt-body", quote=quote_for(runtime_data(), log_of(EVENTS), fault="corrupt-body")),
    )
    case("collateral-none", "No collateral", "not-genuine", stopped("quote.signature"), bundle("good", collateral=None))
    _malformed_collateral()
    _roles()
    odd_extensions()
    odd_arc()
    _odd_names()
    _newness()
    for fault in ("outer-certification-type", "trailing-bytes", "high-s", "no-root", "crlf"):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        case(f"harmless-{fault}", "Changes nothing that is claimed", "verified", {}, bundle(fault, quote=quote))


def _malformed_collateral() -> None:
    good = collateral(NOW)
    for name, made in (
        ("not-hex", good | {"pck_crl": "zz"}),
        ("pem-stray-bits", good | {"tcb_info_issuer_chain": stray_bits(good["tcb_info_issuer_chain"])}),
        ("pem-with-text", good | {"tcb_info_issuer_chain": "text\n" + good["tcb_info_issuer_chain"]}),
        (
            "pem-other-block",
            good | {"tcb_info_issuer_chain": good["tcb_info_issuer_chain"].replace("CERTIFICATE", "FOO", 2)},
        ),
    ):
        shared = W.collateral(name, made)
        case(
            f"collateral-{name}",
            "Malformed collateral",
            "not-genuine",
            stopped("quote.signature"),
            bundle("good", collateral=shared),
        )


def _roles() -> None:
    for name, subject, issuer in (
        ("signer-below-platform-ca", pki.TCB_SIGNING_NAME, "platform-ca"),
        ("signer-of-another-name", "Intel SGX Something", "root"),
    ):
        shared = W.collateral(name, signed_below(subject, issuer))
        about = "TCB info signed by a certificate that the PKI issued for something else"
        case(f"roles-{name}", about, "not-genuine", stopped("quote.signature"), bundle("good", collateral=shared))
    pck = pki.issue(pki.PCK_NAME, subject_key="pck", issuer=pki.ROOT_NAME, issuer_key="root", sgx=sgx_extension())
    chain = pki.pem_chain(pck, pki.certificate("root"))
    bare(
        "roles-pck-below-root",
        "A PCK certificate that the root issued itself",
        "not-genuine",
        "quote.signature",
        assemble(Plan(chain=lambda: chain)),
    )


def _newness() -> None:
    seen = {"tcb_evaluation_data_number": 17, "root_ca_crl_number": 2, "pck_crl_number": 2}
    case("collateral-as-new-as-seen", "The newest collateral again", "verified", {}, bundle("good"), seen=seen)
    for fault in ("old-evaluation", "old-crl"):
        case(
            f"collateral-{fault}",
            "In date, but older than what was seen",
            "not-genuine",
            stopped("quote.signature"),
            bundle("good", fault=fault),
            seen=seen,
        )
        case(
            f"collateral-{fault}-unseen",
            "The same when nothing newer was seen",
            "verified",
            {},
            bundle("good", fault=fault),
        )


def odd_extensions() -> None:
    """PCK certificates whose SGX extension is not as Intel's profile has it: readers differ about each."""
    good = sgx_extension()
    kind, flag = bytes.fromhex("0a0101"), bytes.fromhex("0101ff")
    for name, about, extension in (
        ("no-type", "an SGX type that is an integer", good.replace(kind, b"\x02" + kind[1:])),
        ("other-true", "a flag that is true in another spelling than DER's", good.replace(flag, b"\x01\x01\x01", 1)),
        (
            "octets-for-oid",
            "a member that begins with octets, not with an OID",
            good.replace(b"\x06\x0a", b"\x04\x0a", 1),
        ),
    ):
        pck = pki.issue(
            pki.PCK_NAME, subject_key="pck", issuer=pki.PLATFORM_CA_NAME, issuer_key="platform-ca", sgx=extension
        )
        text = pki.pem_chain(pck, pki.certificate("platform-ca"), pki.certificate("root"))
        made = assemble(Plan(chain=lambda text=text: text))  # type: ignore[misc]
        bare(f"pck-extension-{name}", f"The SGX extension has {about}", "not-genuine", "quote.signature", made)


def odd_arc() -> None:
    """A PCK certificate with an extension that is named 2.47.29.35: dcap-qvl's two parsers differ about it."""
    good = pki.certificate("pck")
    signed = good.tbs_certificate_bytes.replace(bytes.fromhex("0603551d23"), bytes.fromhex("06037f1d23"), 1)
    made = resigned(good.public_bytes(Encoding.DER), signed, "platform-ca")
    chain = (x509.load_der_x509_certificate(made), pki.certificate("platform-ca"), pki.certificate("root"))
    text = pki.pem_chain(*chain)
    about = "An extension whose OID has an arc beyond 2.39"
    bare("pck-extension-arc", about, "not-genuine", "quote.signature", assemble(Plan(chain=lambda: text)))


def _odd_names() -> None:
    """TCB signing certificates whose subject is not made as Intel's are: not every reader takes it, or as the same."""
    good = pki.certificate("tcb-signing")
    company = b"\x06\x03\x55\x04\x0a\x0c\x11Intel Corporation"
    for name, about, odd in (
        ("tag", "that is no text", company.replace(b"\x0c\x11", b"\x02\x11")),
        ("bytes", "that is not UTF-8", company.replace(b"Intel", b"\xffntel")),
        ("control", "with a NUL in it", company.replace(b"Intel", b"In\0el")),
        ("part", "of something else than Intel's names are made of", company.replace(b"\x04\x0a", b"\x04\x0b")),
        ("oid", "whose OID is none", company.replace(b"\x04\x0a", b"\x04\x8a")),
    ):
        at = good.tbs_certificate_bytes.rindex(company)  # the issuer, which is the same, stands before it
        signed = good.tbs_certificate_bytes
        signed = signed[:at] + odd + signed[at + len(odd) :]
        made = resigned(good.public_bytes(Encoding.DER), signed, "root")
        chain = ssl.DER_cert_to_PEM_cert(made) + pki.pem_chain(pki.certificate("root"))
        shared = W.collateral(f"name-{name}", collateral(NOW) | {"tcb_info_issuer_chain": chain})
        about = f"The subject of the TCB signing certificate has a company {about}"
        case(f"roles-name-{name}", about, "not-genuine", stopped("quote.signature"), bundle("good", collateral=shared))


def signed_below(subject: str, issuer: str) -> dict[str, str]:
    """Good collateral whose TCB info is vouched for by a certificate of that subject and issuer."""
    names = {"platform-ca": (pki.PLATFORM_CA_NAME, ("platform-ca", "root")), "root": (pki.ROOT_NAME, ("root",))}
    issuer_name, above = names[issuer]
    leaf = pki.issue(subject, subject_key="tcb-signing", issuer=issuer_name, issuer_key=issuer)
    chain = pki.pem_chain(leaf, *(pki.certificate(name) for name in above))
    return collateral(NOW) | {"tcb_info_issuer_chain": chain}
