"""What people see: words always, colour only on a terminal, nothing from the server interpreted."""

import io
import json

from quote_verifier.report import as_json, print_verdict, printable
from quote_verifier.verdict import EXIT_CODES, Check, Status, Verdict
from rich.console import Console


def verdict(**statuses: Status) -> Verdict:
    return Verdict(tuple(Check(name.replace("_", "."), status, "detail") for name, status in statuses.items()), {})


def text(given: Verdict, terminal: bool = False) -> str:
    out = io.StringIO()
    print_verdict(given, "https://host", Console(file=out, force_terminal=terminal, width=80))
    return out.getvalue()


def test_overall() -> None:
    cases: list[tuple[Verdict, str, int]] = [
        (verdict(quote_format="pass", service_token="skipped"), "verified", 0),
        (verdict(quote_format="pass", release_match="warn"), "incomplete", 7),
        (verdict(tee_real="fail", release_match="warn"), "simulated", 6),
        (verdict(tee_real="fail", release_match="fail"), "not-acceptable", 5),
        (verdict(release_match="fail", quote_signature="fail"), "not-genuine", 4),
        (verdict(quote_format="pass", release_match="skipped"), "incomplete", 7),
        (Verdict((), {}), "not-genuine", 4),
    ]
    for given, overall, code in cases:
        assert (given.overall, given.exit_code) == (overall, code)
    assert sorted(EXIT_CODES.values()) == [0, 4, 5, 6, 7]


def test_every_failing_check_counts() -> None:
    """No check may fail without an effect on the overall status."""
    from quote_verifier.verdict import TITLES

    for check_id in TITLES:
        assert Verdict((Check(check_id, "fail", ""),), {}).overall not in ("verified", "incomplete"), check_id


def test_colour_only_on_a_terminal() -> None:
    given = verdict(quote_format="pass", quote_signature="fail")
    assert "\x1b" not in text(given)
    assert "\x1b" in text(given, terminal=True)
    for word in ("pass", "FAIL", "NOT GENUINE"):
        assert word in text(given)


def test_one_cause_has_one_cross() -> None:
    """What could not be asked is no failure of its own to the eye, and stays one for programs."""
    failed = (Check("quote.signature", "fail", "forged"), Check("quote.tcb", "fail", "Not checked", asked=False))
    given = Verdict(failed, {})
    assert [line.split()[0] for line in text(given).splitlines()[1:]] == ["FAIL", "—", "NOT"]
    assert [check["status"] for check in given.as_dict()["checks"]] == ["fail", "fail"]


def test_nothing_to_ask_by_is_not_called_forged() -> None:
    unasked = tuple(Check(name, "fail", "", asked=False) for name in ("quote.signature", "quote.tcb"))
    shown = text(Verdict((Check("quote.format", "pass", ""), *unasked), {}))
    assert "CANNOT CHECK" in shown
    assert "GENUINE" not in shown
    assert Verdict(unasked, {}).exit_code == 4


def test_nothing_is_interpreted() -> None:
    nasty = "[red]x[/red] \x1b[31m\r\n\u202e"
    given = Verdict((Check("quote.format", "fail", nasty),), {})
    shown = text(given)
    assert "[red]x[/red] \\x1b[31m\\r\\n\\u202e" in shown
    assert printable("a\tb") == "a\\tb"


def test_simulated_says_so() -> None:
    assert "SIMULATED" in text(verdict(tee_real="fail"))
    both = text(verdict(tee_real="fail", release_match="fail"))
    assert "NOT ACCEPTABLE" in both
    assert "SIMULATED" in both
    for given in (verdict(tee_real="fail"), verdict(tee_real="fail", release_match="fail")):
        assert "enuine" not in text(given)


def test_json() -> None:
    document = json.loads(as_json(verdict(quote_format="pass")))
    assert document == {
        "v": 1,
        "overall": "verified",
        "checks": [{"id": "quote.format", "status": "pass", "title": "The quote is well-formed", "detail": "detail"}],
    }
