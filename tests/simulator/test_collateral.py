"""Collateral: accepted when fresh and true, refused for the right reason when it is wrong in one way."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest

from simulator.collateral import collateral
from simulator.faults.collateral import FAULTS
from simulator.quotes import make_quote

from .conftest import NOW, judge

REASONS = {
    "expired": "CrlExpired",
    "expired-tcb-info": "TCBInfo expired",
    "expired-qe-identity": "QE Identity expired",
    "expired-root-crl": "CrlExpired",
    "expired-pck-crl": "CrlExpired",
    "future": "issue date is in the future",
    "expired-signing-certificate": "CertExpired",
    "tcb-Revoked": "TCB status is invalid: Revoked",
    "no-matching-level": "No matching TCB level",
    "qe-revoked": "TCB status is invalid: Revoked",
    "revoked-pck": "CertRevoked",
    "revoked-ca": "CertRevoked",
    "revoked-tcb-signing": "CertRevoked",
    "forged-root-crl": "InvalidCrlSignatureForPublicKey",
    "forged-pck-crl": "InvalidCrlSignatureForPublicKey",
    "garbage-root-crl": "Failed to parse root CA CRL",
    "garbage-pck-crl": "Failed to parse PCK CRL",
    "wrong-issuer-pck-crl": "UnknownRevocationStatus",
    "other-fmspc": "Fmspc mismatch",
    "sgx-tcb-info": "non-TDX TCB info",
    "sgx-qe-identity": "Unsupported QE Identity id",
    "wrong-qe-identity": "QE MRSIGNER mismatch",
    "wrong-module-signer": "TDX module MRSIGNER mismatch",
    "tampered-tcb-info": "Signature is invalid for tcb_info",
    "tampered-qe-identity": "Signature is invalid for qe_identity",
    "foreign-root": "InvalidSignatureForPublicKey",
}
# dcap-qvl accepts these; a careful verifier must not (our own check them on top)
ACCEPTED_BY_DCAP_QVL = {"other-pce-id", "tcb-info-signed-by-pck", "qe-identity-signed-by-pck"}


def test_every_refusal_has_a_reason() -> None:
    refused = {name for name, fault in FAULTS.items() if fault.verdict == "refuse"}
    assert refused == set(REASONS) | ACCEPTED_BY_DCAP_QVL


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_fault(name: str) -> None:
    verdict = judge(make_quote(), collateral(NOW, fault=name))
    expected = FAULTS[name].verdict
    if name in ACCEPTED_BY_DCAP_QVL:
        assert verdict.status == "UpToDate"
    elif expected == "refuse":
        assert verdict.status is None and re.search(REASONS[name], verdict.reason), verdict
    else:
        assert verdict.status == expected
        assert bool(verdict.claims["advisory_ids"]) == (expected != "UpToDate")


def test_members_and_dates() -> None:
    made = collateral(dt.datetime(2025, 10, 9, 12, tzinfo=dt.UTC))
    assert sorted(made) == [
        "pck_crl",
        "pck_crl_issuer_chain",
        "qe_identity",
        "qe_identity_issuer_chain",
        "qe_identity_signature",
        "root_ca_crl",
        "tcb_info",
        "tcb_info_issuer_chain",
        "tcb_info_signature",
    ]
    info = json.loads(made["tcb_info"])
    assert (info["issueDate"], info["nextUpdate"]) == ("2025-10-08T12:00:00Z", "2025-11-07T12:00:00Z")
    for level in info["tcbLevels"]:
        assert len(level["tcb"]["sgxtcbcomponents"]) == len(level["tcb"]["tdxtcbcomponents"]) == 16
    assert json.dumps(info, separators=(",", ":")) == made["tcb_info"], "clients sign over their own re-serialisation"


def test_it_ages() -> None:
    made, quote = collateral(NOW), make_quote()
    assert judge(quote, made, now=NOW + 28 * 86400).status == "UpToDate"
    assert judge(quote, made, now=NOW + 30 * 86400).status is None
    assert judge(quote, made, now=NOW - 2 * 86400).status is None


def test_older_collateral_is_recognisable() -> None:
    new, old = (json.loads(collateral(NOW, fault=fault)["tcb_info"]) for fault in (None, "old-evaluation"))
    assert (new["tcbEvaluationDataNumber"], old["tcbEvaluationDataNumber"]) == (17, 16)
    assert collateral(NOW)["pck_crl"] != collateral(NOW, fault="old-crl")["pck_crl"]


def test_repeatable_and_strict() -> None:
    assert collateral(NOW) == collateral(dt.datetime.fromtimestamp(NOW, dt.UTC))
    with pytest.raises(ValueError, match="no collateral fault is called 'typo'"):
        collateral(NOW, fault="typo")
    with pytest.raises(ValueError, match="has no time zone"):
        collateral(dt.datetime(2025, 1, 1))
