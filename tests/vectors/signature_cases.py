"""Cases about signatures, certificates, collateral and the roles in the PKI."""

from simulator import pki
from simulator.collateral import collateral
from simulator.plans.quote import Plan, assemble
from simulator.sgx_extension import sgx_extension
from tests.vectors.ground import EVENTS, GOOD, NOW, W, bare, bundle, case, log_of, quote_for, runtime_data, stopped


def signature_cases() -> None:
    for fault in (
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
        "qe-below-levels",
        "wrong-seam-signer",
        "seam-attributes",
        "unknown-module",
        "module-below-levels",
        "tcb-below-levels",
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
    ):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        bare(f"signature-{fault}", f"Quote fault {fault}", "not-genuine", "quote.signature", quote)
    quote = quote_for(runtime_data(), log_of(EVENTS), version=5, fault="wrong-tee-tcb-svn2")
    bare(
        "signature-wrong-tee-tcb-svn2",
        "The current TCB of a TD 1.5 matches no level",
        "not-genuine",
        "quote.signature",
        quote,
    )
    for fault in (
        "expired",
        "expired-tcb-info",
        "expired-qe-identity",
        "expired-root-crl",
        "expired-pck-crl",
        "future",
        "expired-signing-certificate",
        "no-matching-level",
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
    ):
        bare(f"collateral-{fault}", f"Collateral fault {fault}", "not-genuine", "quote.signature", GOOD, fault)
    case(
        "signature-forged",
        "A forged body in a whole bundle",
        "not-genuine",
        stopped("quote.signature"),
        bundle("corrupt-body", quote=quote_for(runtime_data(), log_of(EVENTS), fault="corrupt-body")),
    )
    case("collateral-none", "No collateral", "not-genuine", stopped("quote.signature"), bundle("good", collateral=None))
    good = collateral(NOW)
    for name, made in (
        ("unknown-member", good | {"pck_certificate_chain": "x"}),
        ("not-hex", good | {"pck_crl": "zz"}),
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
    for fault in ("outer-certification-type", "trailing-bytes", "high-s", "no-root", "crlf"):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        case(f"harmless-{fault}", "Changes nothing that is claimed", "verified", {}, bundle(fault, quote=quote))


def signed_below(subject: str, issuer: str) -> dict[str, str]:
    """Good collateral whose TCB info is vouched for by a certificate of that subject and issuer."""
    names = {"platform-ca": (pki.PLATFORM_CA_NAME, ("platform-ca", "root")), "root": (pki.ROOT_NAME, ("root",))}
    issuer_name, above = names[issuer]
    leaf = pki.issue(subject, subject_key="tcb-signing", issuer=issuer_name, issuer_key=issuer)
    chain = pki.pem_chain(leaf, *(pki.certificate(name) for name in above))
    return collateral(NOW) | {"tcb_info_issuer_chain": chain}
