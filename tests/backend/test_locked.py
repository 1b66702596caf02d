"""Measured settings: what the hook in upstream's AppConfig relies on."""

from __future__ import annotations

import pytest
from fastapi import HTTPException
from open_webui.tee import locked


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "LOCKED", frozenset({"OPENAI_API_BASE_URLS"}))


def test_others_may_change() -> None:
    assert locked.keeps("DEFAULT_LOCALE", "en", "de") is False
    assert not locked.is_locked("DEFAULT_LOCALE")


def test_a_locked_one_may_stay() -> None:
    assert locked.keeps("OPENAI_API_BASE_URLS", ["http://127.0.0.1"], ["http://127.0.0.1"]) is True


def test_a_locked_one_may_not_change() -> None:
    with pytest.raises(HTTPException) as caught:
        locked.keeps("OPENAI_API_BASE_URLS", ["http://127.0.0.1"], ["http://evil.example"])
    assert caught.value.status_code == 403 and "OPENAI_API_BASE_URLS" in str(caught.value.detail)
