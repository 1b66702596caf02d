"""Both implementations give the same status for every check, whatever they are shown.

`make fuzz` asks more; a difference found there is made again with its SEED and `--show`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from quote_verifier.verdict import ALL_CHECKS

from tests.agreement import boot_logs
from tests.agreement.asking import Findings, ask, explained
from tests.agreement.differences import TABLE
from tests.agreement.node import Node
from tests.agreement.questions import Answer

pytestmark = pytest.mark.slow

COUNT, SEED = 5000, 20250701
NEVER_WARN = {"quote.format", "quote.signature", "tee.real"}


@pytest.fixture(scope="module")
def findings() -> Iterator[Findings]:
    began = time.monotonic()
    with Node() as node:
        found = ask(COUNT, SEED, node)
    print(f"{COUNT} questions in {time.monotonic() - began:.0f} s")
    yield found


def test_the_same_status_for_every_check(findings: Findings) -> None:
    shown = "\n".join(str(difference) for difference in findings.differences[:20])
    assert not findings.differences, f"{len(findings.differences)} differences, the first:\n{shown}"
    assert findings.asked == COUNT


def test_every_check_is_seen_passing_warning_and_failing(findings: Findings) -> None:
    """On its own evidence: a check that was not asked, because another failed, does not count."""
    for check in ALL_CHECKS:
        wanted = {"pass", "fail"} | (set() if check in NEVER_WARN else {"warn"})
        assert wanted == set(findings.statuses[check]) - {"skipped"}, check
    assert findings.statuses["service.token"]["skipped"]


def test_every_verdict_is_reached(findings: Findings) -> None:
    wanted = {"verified", "incomplete", "simulated", "not-acceptable", "not-genuine", "refused"}
    assert wanted == set(findings.overall)


def test_everything_that_can_be_said_of_a_boot_log_is_said(findings: Findings) -> None:
    assert set(boot_logs.EXPLANATIONS) == set(findings.explanations)


def test_what_explains_a_failure_has_to_be_the_same_word_for_word() -> None:
    asked, checks = {"word_for_word": "platform.match"}, {"platform.match": "fail"}
    python = Answer("not-acceptable", checks, {"platform.match": "rtmr_0 lacks x"})
    for told, same in (("in rtmr_0: rtmr_0 lacks x.", True), ("in rtmr_0: rtmr_0 lacks y.", False), ("", False)):
        assert explained(asked, python, Answer("not-acceptable", checks, {"platform.match": told})) is same


def test_every_exception_is_needed(findings: Findings) -> None:
    assert {entry.name for entry in TABLE} == set(findings.exempt)
