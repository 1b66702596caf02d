"""Levels of logs: none says what people write."""

from __future__ import annotations

import logging

import pytest
from open_webui.tee import quiet


@pytest.mark.attack
@pytest.mark.parametrize(
    ("asked", "given"),
    [("DEBUG", "INFO"), ("debug", "INFO"), ("NOTSET", "INFO"), ("INFO", "INFO"), ("warning", "WARNING"), ("5", "INFO")],
)
def test_no_level_below_info(asked: str, given: str) -> None:
    environ = {
        "GLOBAL_LOG_LEVEL": asked,
        "RAG_LOG_LEVEL": asked,
        "AUDIT_LOG_LEVEL": "NONE",
        "OTHER": "DEBUG",
        "MAIN_LOG_LEVEL": "",
    }
    quiet.pin(environ)
    expected = {"GLOBAL_LOG_LEVEL": given, "RAG_LOG_LEVEL": given}
    assert environ == {**expected, "AUDIT_LOG_LEVEL": "NONE", "OTHER": "DEBUG", "MAIN_LOG_LEVEL": ""}
    assert logging.getLogger("httpx").level == logging.WARNING


@pytest.mark.attack
def test_sessions_are_never_signed_with_a_public_key() -> None:
    assert len(quiet.drawn_secret()) >= 48 and quiet.drawn_secret() != quiet.drawn_secret()
