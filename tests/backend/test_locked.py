"""Measured settings: what the hook in upstream's AppConfig relies on."""

from __future__ import annotations

from types import SimpleNamespace

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


def test_everything_but_looks_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "LOCKED", frozenset({"*", "DEFAULT_MODELS"}))
    assert locked.is_locked("A_SETTING_OF_TOMORROW") and locked.is_locked("OAUTH_MERGE_ACCOUNTS_BY_EMAIL")
    assert not locked.is_locked("DEFAULT_LOCALE")
    assert locked.is_locked("DEFAULT_MODELS")  # free, but set by the launch
    assert locked.keeps("NEVER_SET", None, "") is True  # a form sends what it shows


def test_every_free_setting_has_its_reason() -> None:
    assert all(len(reason) > 10 for reason in locked.FREE.values())


def test_an_import_names_what_it_may_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "LOCKED", frozenset({"*"}))
    settings = [
        SimpleNamespace(
            env_name="OAUTH_MERGE_ACCOUNTS_BY_EMAIL", config_path="oauth.merge_accounts_by_email", value=False
        ),
        SimpleNamespace(env_name="WEBHOOK_URL", config_path="webhook_url", value=""),
        SimpleNamespace(env_name="DEFAULT_LOCALE", config_path="ui.default_locale", value=""),
    ]
    locked.check_import(
        {"ui": {"default_locale": "de"}, "oauth": {"merge_accounts_by_email": False}, "webhook_url": None}, settings
    )
    with pytest.raises(HTTPException) as caught:
        locked.check_import({"oauth": {"merge_accounts_by_email": True}, "webhook_url": "http://x"}, settings)
    assert caught.value.status_code == 403
    assert str(caught.value.detail).startswith("OAUTH_MERGE_ACCOUNTS_BY_EMAIL, WEBHOOK_URL were measured")
