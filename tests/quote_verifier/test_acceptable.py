"""Policy at work: every mismatch names the field, its actual and its expected value."""

from dataclasses import replace

import pytest
from quote_verifier.acceptable import check_debug, check_platform
from quote_verifier.collateral import parse_collateral
from quote_verifier.genuine import verify_quote
from quote_verifier.policy import Policy
from quote_verifier.quote import parse_quote
from quote_verifier.references import Platform, References
from quote_verifier.verdict import Check

from quote_verifier import Options, load_policy, verify_bare
from simulator.collateral import collateral
from simulator.quotes import make_quote

from .world import NOW, platform

QUOTE = make_quote(b"x" * 64)
PARSED = parse_quote(QUOTE)


def tcb(policy: str, fault: str | None = None) -> Check:
    options = Options(policy=load_policy(policy), test_root_is_genuine=True)
    return verify_bare(QUOTE, collateral(NOW, fault=fault), now=NOW, options=options).check("quote.tcb")


@pytest.mark.parametrize(
    ("policy", "fault", "status", "detail"),
    [
        ("", None, "pass", "UpToDate"),
        ("", "out-of-date", "fail", "is OutOfDate, expected UpToDate"),
        ('[tcb]\naccepted_statuses = ["OutOfDate"]', "out-of-date", "warn", "OutOfDate"),
        (
            '[tcb]\naccepted_statuses = ["SWHardeningNeeded"]',
            "out-of-date",
            "fail",
            "expected UpToDate or SWHardeningNeeded",
        ),
        (
            '[tcb]\naccepted_statuses = ["OutOfDate"]\nrefused_advisories = ["INTEL-SA-00837"]',
            "out-of-date",
            "fail",
            "INTEL-SA-00837",
        ),
        ('[tcb]\naccepted_statuses = ["OutOfDate"]', "qe-out-of-date", "warn", "OutOfDate"),
        ("[tcb]\nmin_tcb_evaluation_data_number = 17", None, "pass", ""),
        ("[tcb]\nmin_tcb_evaluation_data_number = 18", None, "fail", "is 17, expected at least 18"),
        ("[tcb]\nmin_pce_svn = 14", None, "fail", "PCE SVN is 13, expected at least 14"),
        ("[tcb]\nmin_qe_isv_svn = 7", None, "fail", "QE ISV SVN is 6, expected at least 7"),
        ('[tcb]\nmin_tee_tcb_svn = "06010300000000000000000000000000"', None, "pass", ""),
        ('[tcb]\nmin_tee_tcb_svn = "06010400000000000000000000000000"', None, "fail", "tee_tcb_svn is 0601030"),
        ("[tcb]\nallow_smt = false", None, "fail", "smt_enabled is true, expected false"),
        ("[tcb]\nallow_dynamic_platform = false", None, "fail", "dynamic_platform"),
        ("[tcb]\nallow_cached_keys = false", None, "fail", "cached_keys"),
    ],
)
def test_tcb(policy: str, fault: str | None, status: str, detail: str) -> None:
    check = tcb(policy, fault)
    assert check.status == status
    assert detail in check.detail


def test_revoked_is_never_accepted() -> None:
    every = "', '".join(("SWHardeningNeeded", "OutOfDate", "ConfigurationNeeded"))
    assert tcb(f"[tcb]\naccepted_statuses = ['{every}']", "tcb-Revoked").status == "fail"


@pytest.mark.slow
@pytest.mark.parametrize("bit", range(64))
def test_every_attribute_bit(bit: int) -> None:
    """Only bits that leave the TD closed may be set beside SEPT_VE_DISABLE; dcap-qvl and we agree on each."""
    attributes = (1 << 28 | 1 << bit).to_bytes(8, "little")
    quote = make_quote(b"x" * 64, td_attributes=attributes)
    parsed = parse_quote(quote)
    ours = check_debug(parsed, References(), Policy()).status
    theirs = "fail" if verify_quote(parsed, parse_collateral(collateral(NOW)), NOW).refusal else "pass"
    if bit in range(1, 4) or bit == 7:
        assert ours == "fail"  # reserved bits of the TD-under-debug group
    else:
        assert (ours, theirs) in (("pass", "pass"), ("fail", "fail")), bit


def test_platform() -> None:
    good = {field: value for field, value in platform().items() if field != "root"}
    held = References(platforms=(Platform(good, verity=True),))
    assert check_platform(PARSED, held, Policy()).status == "pass"
    assert check_platform(PARSED, References(), Policy()).status == "warn"
    for field in good:
        other = "ab" * (len(good[field]) // 2)
        check = check_platform(PARSED, References(platforms=(Platform(good | {field: other}),)), Policy())
        assert check.status == "fail"
        assert check.detail == f"{field} is {good[field]}, expected {other}"


def test_policy_lists_are_asked_besides_references() -> None:
    good = {field: value for field, value in platform().items() if field != "root"}
    held = References(platforms=(Platform(good, verity=True),))
    listed = Policy(platform={"mr_td": ("ab" * 48,)})
    assert check_platform(PARSED, held, listed).status == "fail"
    complete = Policy(platform={field: (value,) for field, value in good.items()})
    assert check_platform(PARSED, References(), complete).status == "warn", "nobody says what measures the programs"
    trusting = replace(complete, trust_administrator=True)
    assert check_platform(PARSED, References(), trusting).status == "pass"
    assert check_platform(PARSED, References(), Policy(platform={"mr_td": (good["mr_td"],)})).status == "warn"
