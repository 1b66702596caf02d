"""Separation of roles: certificates that the PKI did issue, used for a job that is not theirs.

dcap-qvl accepts each of these (shown below), so only our own check stands against them.
"""

import json
from datetime import UTC, datetime

import dcap_qvl  # type: ignore[import-untyped]
import pytest
from cryptography import x509

from quote_verifier import Options, verify_bare
from simulator import pki
from simulator.plans.collateral import Plan, plan
from simulator.plans.collateral import assemble as signed
from simulator.plans.quote import Plan as QuotePlan
from simulator.plans.quote import assemble
from simulator.sgx_extension import sgx_extension

from .world import NOW


def issued(subject: str, issuer: str, issuer_key: str, sgx: bool) -> x509.Certificate:
    key = "pck" if sgx else "tcb-signing"
    return pki.issue(
        subject, subject_key=key, issuer=issuer, issuer_key=issuer_key, sgx=sgx_extension() if sgx else None
    )


def chain(leaf: x509.Certificate, *names: str) -> str:
    return pki.pem_chain(leaf, *(pki.certificate(name) for name in names))


def good_plan() -> Plan:
    return plan(datetime.fromtimestamp(NOW, UTC))


def outcome(quote: bytes, collateral: dict[str, str]) -> tuple[bool, str]:
    """Whether dcap-qvl accepts it, and what our quote.signature says ("" for a pass)."""
    try:
        parsed = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(collateral))
        dcap_qvl.verify_with_root_ca(quote, parsed, pki.root_der(), NOW)
        theirs = True
    except ValueError:
        theirs = False
    check = verify_bare(quote, collateral, now=NOW, options=Options()).check("quote.signature")
    return theirs, "" if check.status == "pass" else check.detail


BELOW_CA = ("platform-ca", "root")
SIGNERS = [
    (
        chain(issued(pki.TCB_SIGNING_NAME, pki.PLATFORM_CA_NAME, "platform-ca", False), *BELOW_CA),
        "is 2, expected 1",
    ),
    (chain(issued("Intel SGX Something", pki.ROOT_NAME, "root", False), "root"), "expected 'Intel SGX TCB Signing'"),
    (
        chain(issued(pki.PCK_NAME, pki.PLATFORM_CA_NAME, "platform-ca", False), *BELOW_CA),
        "is 2, expected 1",
    ),
]


@pytest.mark.parametrize("what", ["tcb_info", "qe_identity"])
@pytest.mark.parametrize(("signers", "reason"), SIGNERS)
def test_signer(what: str, signers: str, reason: str) -> None:
    made = good_plan()
    getattr(made, what).chain = signers
    theirs, ours = outcome(assemble(QuotePlan()), signed(made))
    assert theirs
    assert reason in ours


def test_signer_with_the_sgx_extension() -> None:
    made = good_plan()
    leaf = issued(pki.TCB_SIGNING_NAME, pki.ROOT_NAME, "root", True)
    made.tcb_info.chain, made.tcb_info.signer = chain(leaf, "root"), "pck"
    theirs, ours = outcome(assemble(QuotePlan()), signed(made))
    assert theirs
    assert "has the SGX extension of a PCK certificate" in ours


PCKS = [
    (chain(issued(pki.PCK_NAME, pki.ROOT_NAME, "root", True), "root"), "is 1, expected 2"),
    (
        chain(issued(pki.TCB_SIGNING_NAME, pki.PLATFORM_CA_NAME, "platform-ca", True), *BELOW_CA),
        "expected 'Intel SGX PCK",
    ),
]


@pytest.mark.parametrize(("pems", "reason"), PCKS)
def test_pck(pems: str, reason: str) -> None:
    theirs, ours = outcome(assemble(QuotePlan(chain=lambda: pems)), signed(good_plan()))
    assert theirs
    assert reason in ours


def test_the_good_ones_pass() -> None:
    assert outcome(assemble(QuotePlan()), signed(good_plan())) == (True, "")
