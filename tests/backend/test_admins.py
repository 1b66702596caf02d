"""What administrators may do to others, with the measured settings that allow it, and without them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import HTTPException
from open_webui.tee import admins

ADMIN, ADA = SimpleNamespace(id="a", role="admin"), SimpleNamespace(id="b", role="user", email="ada@example.com")
FEEDBACK: dict[str, Any] = {"id": "1", "snapshot": {"chat": "words"}}


@pytest.mark.attack
@pytest.mark.parametrize("value", [None, "false", "", "1", "yes"])
def test_an_administrator_sees_no_data_of_others(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("ENABLE_ADMIN_DATA_ACCESS", raising=False)
    if value is not None:
        monkeypatch.setenv("ENABLE_ADMIN_DATA_ACCESS", value)
    assert not admins.may_see_data(ADMIN)
    for password, email in (("new password", ADA.email), (None, "else@example.com")):
        with pytest.raises(HTTPException, match="ENABLE_ADMIN_DATA_ACCESS=true") as refused:
            admins.require_own_login(ADMIN, ADA, password, email)
        assert refused.value.status_code == 403
    admins.require_own_login(ADMIN, ADA, None, "Ada@Example.com")


@pytest.mark.parametrize("value", ["true", "True"])
def test_a_launch_allows_administrators_to_see_data(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ENABLE_ADMIN_DATA_ACCESS", value)
    assert admins.may_see_data(ADMIN)
    admins.require_own_login(ADMIN, ADA, "new password", "else@example.com")


@pytest.mark.attack
def test_what_administrators_may_see_is_not_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_ADMIN_DATA_ACCESS", "true")
    assert not admins.may_see_data(ADA)


def test_a_feedbacks_chat_is_exported_where_a_launch_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENABLE_ADMIN_EXPORT", raising=False)
    assert admins.without_chat(FEEDBACK)["snapshot"] is None
    monkeypatch.setenv("ENABLE_ADMIN_EXPORT", "true")
    assert admins.without_chat(FEEDBACK) == FEEDBACK
