from __future__ import annotations

import pytest

from scripts.checks.parts import report
from scripts.errors import CommandError


def test_every_part_runs_and_the_end_says_which_failed(capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []

    def bad() -> None:
        ran.append("bad")
        raise CommandError("exit status 1")

    assert not report({"one": bad, "two": lambda: ran.append("two")})
    assert ran == ["bad", "two"]
    told = capsys.readouterr().out
    assert "one: FAILED: exit status 1" in told
    assert "two: passed" in told
    assert report({"two": lambda: None})
