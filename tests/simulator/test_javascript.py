"""dcap-qvl's JavaScript 0.7.0 (from the Python package's source distribution) judges as the Python does."""

from __future__ import annotations

import os

import pytest

from simulator.collateral import collateral
from simulator.faults.collateral import FAULTS as COLLATERAL_FAULTS
from simulator.faults.quote import FAULTS as QUOTE_FAULTS
from simulator.quotes import make_quote

from .conftest import NOW, JavaScript
from .test_collateral import ACCEPTED_BY_DCAP_QVL

pytestmark = pytest.mark.slow

# This implementation does not look at the vendor id, which our own verifier checks
ACCEPTED_QUOTES = {"wrong-qe-vendor"}


@pytest.mark.parametrize("version", [4, 5])
def test_accepted_under_the_test_root_only(javascript: JavaScript, version: int) -> None:
    quote = make_quote(b"x", version=version)
    assert javascript.judge(quote).status == "UpToDate"
    refused = javascript.judge(quote, root=b"")
    assert refused.status is None and "signature" in refused.reason.lower(), refused


@pytest.mark.parametrize("version", [4, 5])
def test_quote_faults(javascript: JavaScript, version: int) -> None:
    made = collateral(NOW)
    wrong = {}
    for fault in QUOTE_FAULTS.values():
        if version in fault.versions:
            accepted = "UpToDate" if fault.verdict == "harmless" or fault.name in ACCEPTED_QUOTES else fault.verdict
            expected = None if accepted == "refuse" else accepted
            verdict = javascript.judge(make_quote(b"x", version=version, fault=fault.name), made)
            if verdict.status != expected:
                wrong[fault.name] = (expected, verdict)
    assert not wrong


def test_collateral_faults(javascript: JavaScript) -> None:
    wrong = {}
    for fault in COLLATERAL_FAULTS.values():
        expected = None if fault.verdict == "refuse" else fault.verdict
        if fault.name in ACCEPTED_BY_DCAP_QVL:
            expected = "UpToDate"
        verdict = javascript.judge(make_quote(), collateral(NOW, fault=fault.name))
        if verdict.status != expected:
            wrong[fault.name] = (expected, verdict)
    assert not wrong


@pytest.mark.parametrize("version", [4, 5])
def test_signed_bytes_matter(javascript: JavaScript, version: int) -> None:
    """Every 16th byte (a judgement takes 0.1 s here); SIMULATOR_ALL_BYTES=1 tries all, test_quotes.py always does."""
    step = 1 if os.environ.get("SIMULATOR_ALL_BYTES") else 16
    quote, made = make_quote(b"x", version=version), collateral(NOW)
    signed = 48 + (584 if version == 4 else 6 + 648)
    start = signed + 4
    unnoticed = []
    for i in [*range(signed), *range(start, start + 128), *range(start + 134, start + 134 + 482)][::step]:
        changed = bytearray(quote)
        changed[i] ^= 1 << (i % 8)
        if javascript.judge(bytes(changed), made).status is not None:
            unnoticed.append(i)
    assert not unnoticed
