"""Quotes: a production verifier accepts the right ones, and refuses every wrong one for the right reason."""

from __future__ import annotations

import re

import dcap_qvl  # type: ignore[import-untyped]
import pytest

from simulator import pki, profile
from simulator.collateral import collateral
from simulator.faults.quote import FAULTS
from simulator.quotes import make_quote

from .conftest import NOW, judge

# What dcap-qvl says of each; the reason is what the fault is about, not some other defect.
REASONS = {
    "bad-version": "Unsupported quote version",
    "wrong-tee-type": "Failed to decode quote|SGX TEE quote must have version 3",
    "wrong-key-type": "Unsupported DCAP attestation key type",
    "wrong-qe-vendor": "Unknown QE vendor ID",
    "body-type": "Invalid body size",
    "body-size": "Invalid body size",
    "inner-certification-type": "Unsupported DCAP PCK cert format: 4",
    "truncated": "Not enough data",
    "truncated-header": "Header::user_data",
    "signature-size": "Not enough data",
    "corrupt-header": "ISV enclave report signature is invalid",
    "corrupt-body": "ISV enclave report signature is invalid",
    "corrupt-signature": "ISV enclave report signature is invalid",
    "corrupt-attestation-key": "QE report hash mismatch",
    "corrupt-qe-report": "Signature is invalid for qe_report",
    "corrupt-qe-signature": "Signature is invalid for qe_report",
    "wrong-attestation-key": "ISV enclave report signature is invalid",
    "qe-report-data": "QE report hash mismatch",
    "qe-report-signer": "Signature is invalid for qe_report",
    "qe-auth-data-size": "Invalid QE auth data length",
    "wrong-qe-identity": "QE ISVPRODID mismatch",
    "wrong-qe-signer": "QE MRSIGNER mismatch",
    "qe-debug": "QE report validation failed",
    "qe-below-levels": "QE ISVSVN 1 is below minimum",
    "debug": "Debug mode is enabled",
    "profiled": "TD profiling is enabled",
    "reserved-attribute": "Reserved bits in TD attributes",
    "migratable": "TD migration is enabled",
    "sept-ve": "SEPT_VE_DISABLE is not enabled",
    "wrong-seam-signer": "TDX module MRSIGNER mismatch",
    "seam-attributes": "TDX module SEAMATTRIBUTES mismatch",
    "unknown-module": "No TDX module identity with id TDX_09",
    "module-below-levels": "TDX module ISVSVN 1 is below minimum",
    "tcb-below-levels": "No matching TCB level",
    "wrong-tee-tcb-svn2": "TEE_TCB_SVN2",
    "service-td": "Invalid MR service TD",
    "other-fmspc": "Fmspc mismatch",
    "expired-pck": "CertExpired",
    "future-pck": "CertNotValidYet",
    "expired-ca": "CertExpired",
    "pck-issued-by-pck": "EndEntityUsedAsCa",
    "issuer-name": "UnknownIssuer",
    "foreign-root": "InvalidSignatureForPublicKey",
    "no-sgx-extension": "Intel extension not found",
    "no-intermediate": "UnknownIssuer",
    "leaf-only": "UnknownIssuer",
    "garbage-chain": "Certificate chain is too short",
}
CASES = [(fault.name, version) for fault in FAULTS.values() for version in fault.versions]


@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_is_up_to_date_under_the_test_root(version: int) -> None:
    quote = make_quote(b"report data", version=version, rtmrs=[bytes([i]) * 48 for i in range(4)], mr_td=b"\x07" * 48)
    verdict = judge(quote)
    assert verdict.status == "UpToDate" and verdict.claims["advisory_ids"] == []
    report = next(iter(verdict.claims["report"].values()))
    report = report.get("base", report)
    assert report["report_data"] == b"report data".ljust(64, b"\0").hex()
    assert [report[f"rt_mr{i}"] for i in range(4)] == [bytes([i] * 48).hex() for i in range(4)]
    assert report["mr_td"] == "07" * 48


@pytest.mark.parametrize("version", [4, 5])
def test_intels_root_refuses(version: int) -> None:
    parsed = dcap_qvl.QuoteCollateralV3(**as_arguments(collateral(NOW)))
    with pytest.raises(ValueError, match="InvalidCrlSignatureForPublicKey"):
        dcap_qvl.verify(make_quote(version=version), parsed, NOW)


def as_arguments(made: dict[str, str]) -> dict[str, str | bytes]:
    binary = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
    return {name: bytes.fromhex(value) if name in binary else value for name, value in made.items()}


def test_a_stranger_of_the_same_name_is_not_the_root() -> None:
    root = pki.issue(
        pki.ROOT_NAME, subject_key="stranger", issuer=pki.ROOT_NAME, issuer_key="stranger", ca_path_length=1
    )
    from cryptography.hazmat.primitives.serialization import Encoding

    assert judge(make_quote(), root=root.public_bytes(Encoding.DER)).status is None


def test_every_refusal_has_a_reason() -> None:
    assert {name for name, fault in FAULTS.items() if fault.verdict == "refuse"} == set(REASONS)


@pytest.mark.parametrize(("name", "version"), CASES)
def test_fault(name: str, version: int) -> None:
    verdict = judge(make_quote(b"x", version=version, fault=name))
    expected = FAULTS[name].verdict
    if expected == "refuse":
        assert verdict.status is None and re.search(REASONS[name], verdict.reason), verdict
    elif expected == "harmless":
        assert verdict.status == "UpToDate"
        if name != "td10-in-v5":  # whose claims are those of a TD 1.0
            assert verdict.claims == judge(make_quote(b"x", version=version)).claims
    else:
        assert verdict.status == expected and verdict.claims["advisory_ids"]


@pytest.mark.slow
@pytest.mark.parametrize("version", [4, 5])
def test_every_byte_matters_or_changes_nothing(version: int) -> None:
    """Signed bytes: refused. The rest of the quote (sizes, certificates' text): refused, or every claim unchanged."""
    quote = make_quote(b"x", version=version)
    made = collateral(NOW)
    untouched = judge(quote, made).claims
    signed = 48 + (584 if version == 4 else 6 + 648)
    key_and_signature = range(signed + 4, signed + 4 + 128)
    qe = range(signed + 4 + 128 + 6, signed + 4 + 128 + 6 + 384 + 64 + 2 + 32)
    must_fail = {*range(signed), *key_and_signature, *qe}
    assert len(must_fail) == signed + 128 + 482
    for i in range(len(quote)):
        changed = bytearray(quote)
        changed[i] ^= 1 << (i % 8)
        verdict = judge(bytes(changed), made)
        assert verdict.status is None or (i not in must_fail and verdict.claims == untouched), i


def test_quotes_are_repeatable() -> None:
    assert make_quote(b"x") == make_quote(b"x") != make_quote(b"y")


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="65 bytes, at most 64"):
        make_quote(bytes(65))
    with pytest.raises(ValueError, match="version 3 is unknown"):
        make_quote(version=3)
    with pytest.raises(ValueError, match=r"no quote fault is called 'typo'; known: .*wrong-seam-signer"):
        make_quote(fault="typo")
    with pytest.raises(ValueError, match="needs a quote of version 5"):
        make_quote(fault="service-td")
    with pytest.raises(ValueError, match="instead of 584"):
        make_quote(mr_td=bytes(47))
    with pytest.raises(ValueError, match="version 4 quote has no body 'td15'"):
        make_quote(body="td15")


def test_layout_of_a_v4_quote() -> None:
    quote = make_quote(b"\xee" * 64)
    assert quote[:8] == bytes.fromhex("0400020081000000")
    assert quote[12:28] == profile.QE_VENDOR_ID
    assert quote[48 + 520 : 48 + 584] == b"\xee" * 64
    assert quote[48 + 584 :][:4] == (len(quote) - 636).to_bytes(4, "little")
