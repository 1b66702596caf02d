"""Genuine? Every fault that the simulator can make, in quotes and in collateral, and what must be made of it."""

import hashlib
from pathlib import Path

import pytest
from quote_verifier.collateral import parse_collateral
from quote_verifier.errors import NotGenuine
from quote_verifier.genuine import ATTRIBUTE_REFUSALS, RootName, root_certificate, verify_quote
from quote_verifier.quote import parse_quote
from quote_verifier.verdict import Check, Verdict

from quote_verifier import Options, Seen, verify_bare
from simulator import pki
from simulator.collateral import collateral
from simulator.faults import collateral as collateral_faults
from simulator.faults import quote as quote_faults
from simulator.quotes import make_quote

from .world import NOW

GOOD = collateral(NOW)
INTEL_ROOT_SHA256 = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
REAL = Options(test_root_is_genuine=True)


def judge(quote: bytes, made: dict[str, str] = GOOD) -> Verdict:
    return verify_bare(quote, made, now=NOW, options=REAL)


def test_roots() -> None:
    assert hashlib.sha256(root_certificate("intel")).hexdigest() == INTEL_ROOT_SHA256
    assert root_certificate("simulator") == pki.root_der()


QUOTE_FAULTS = [(name, version) for name, fault in sorted(quote_faults.FAULTS.items()) for version in fault.versions]


@pytest.mark.parametrize(("name", "version"), QUOTE_FAULTS)
def test_quote_fault(name: str, version: int) -> None:
    fault = quote_faults.FAULTS[name]
    verdict = judge(make_quote(b"x" * 64, version=version, fault=name))
    if fault.verdict == "harmless":
        assert verdict.overall == "verified"
        assert verdict.claims == judge(make_quote(b"x" * 64, version=version, body=body_of(name, version))).claims
    elif fault.verdict == "refuse":
        assert verdict.overall in ("not-genuine", "not-acceptable")
    else:
        assert verdict.check("quote.tcb").status == "fail"
        assert fault.verdict in verdict.check("quote.tcb").detail


def body_of(name: str, version: int) -> str:
    return "td10" if version == 4 or name == "td10-in-v5" else "td15"


@pytest.mark.parametrize("name", sorted(collateral_faults.FAULTS))
def test_collateral_fault(name: str) -> None:
    fault = collateral_faults.FAULTS[name]
    verdict = judge(make_quote(b"x" * 64), collateral(NOW, fault=name))
    if fault.verdict == "refuse":
        assert verdict.overall in ("not-genuine", "not-acceptable")
    elif fault.verdict == "UpToDate":
        assert verdict.overall == "verified"
    else:
        assert verdict.check("quote.tcb").status == "fail"
        assert f"is {fault.verdict}," in verdict.check("quote.tcb").detail


@pytest.mark.parametrize("fault", ["debug", "profiled", "reserved-attribute", "migratable", "sept-ve"])
def test_attributes_are_appraised_after_the_signatures(fault: str) -> None:
    """dcap-qvl's refusals of attributes may be read as "signed, but not acceptable" only while this order holds."""
    quote = make_quote(b"x" * 64, fault=fault)
    assert judge(quote).check("quote.signature").status == "pass"
    assert judge(quote).check("quote.debug").status == "fail"
    broken = bytearray(quote)
    broken[600] ^= 1  # report data: signed
    assert judge(bytes(broken)).check("quote.signature").status == "fail"
    for other in (
        "revoked-pck",
        "expired-tcb-info",
        "tampered-tcb-info",
        "forged-root-crl",
        "other-fmspc",
        "tcb-info-signed-by-pck",
    ):
        assert judge(quote, collateral(NOW, fault=other)).check("quote.signature").status == "fail", other


def test_revoked_tcb_is_found_after_the_signatures() -> None:
    revoked = collateral(NOW, fault="tcb-Revoked")
    quote = bytearray(make_quote(b"x" * 64))
    assert judge(bytes(quote), revoked).check("quote.signature").status == "pass"
    assert judge(bytes(quote), revoked).check("quote.tcb").status == "fail"
    quote[600] ^= 1
    assert judge(bytes(quote), revoked).check("quote.signature").status == "fail"


def test_an_attribute_refusal_is_never_an_acceptance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if our own reading of the attributes found nothing, dcap-qvl's refusal stands."""
    blind = Check("quote.debug", "pass", "blind")
    monkeypatch.setattr("quote_verifier.appraise.check_debug", lambda *_: blind)
    for fault in ("debug", "profiled", "reserved-attribute", "sept-ve"):
        assert judge(make_quote(b"x" * 64, fault=fault)).overall == "not-acceptable"
    assert len(ATTRIBUTE_REFUSALS) == 7


def test_intel_is_not_the_simulator() -> None:
    assert verify_bare(make_quote(b"x"), GOOD, now=NOW).overall == "simulated"


@pytest.mark.parametrize("member", ["tcb_evaluation_data_number", "root_ca_crl_number", "pck_crl_number"])
def test_older_than_seen(member: str) -> None:
    quote, made = parse_quote(make_quote(b"x")), parse_collateral(GOOD)
    current = verify_quote(quote, made, NOW).collateral
    assert verify_quote(quote, made, NOW, current).collateral == current
    newer = Seen(**{**current.as_dict(), member: getattr(current, member) + 1})
    with pytest.raises(NotGenuine, match="older than what was seen"):
        verify_quote(quote, made, NOW, newer)
    assert verify_quote(quote, made, NOW, {"intel": newer}).collateral == current
    with pytest.raises(NotGenuine, match="older"):
        verify_quote(quote, made, NOW, {"simulator": newer})


def test_collateral_members() -> None:
    for key in GOOD:
        for wrong in (None, 7, "", "\ud800"):
            assert verify_bare(make_quote(b"x"), GOOD | {key: wrong}, now=NOW).overall == "not-genuine", (key, wrong)
    assert verify_bare(make_quote(b"x"), GOOD | {"pck_certificate_chain": "x"}, now=NOW).overall == "not-genuine"
    assert verify_bare(make_quote(b"x"), [], now=NOW).overall == "not-genuine"


def test_without_collateral_nothing_could_be_asked() -> None:
    """Red, and yet not a forgery: a source of collateral may be down."""
    verdict = verify_bare(make_quote(b"x"), None, now=NOW)
    assert verdict.overall == "not-genuine"
    assert [check.asked for check in verdict.checks] == [True, False, False, False, False]


def test_no_sentence_reads_as_if_a_simulated_quote_were_intels() -> None:
    details = [check.detail for check in verify_bare(make_quote(b"x"), GOOD, now=NOW).checks]
    assert "not Intel's" in details[1]
    assert [text for text in details if "Intel" in text.replace("not Intel's", "")] == []


@pytest.mark.parametrize("name", ["intel", "simulator"])
def test_packaged_roots_exist(name: RootName) -> None:
    folder = Path(__file__).resolve().parents[2] / "quote_verifier" / "src" / "quote_verifier" / "roots"
    assert (folder / f"{name}.der").read_bytes() == root_certificate(name)
