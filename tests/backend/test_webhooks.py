"""Which notifications leave the machine: the launch's own webhook, and people's where the launch allows them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from open_webui.tee import outside, webhooks

from tests.attacks.standin import Standin

WORDS = {"text": "what ada wrote"}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    for name in ("ENABLE_USER_WEBHOOKS", "ENABLE_RAG_LOCAL_WEB_FETCH", "WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)
    standin = Standin()
    yield standin
    standin.close()


@pytest.mark.slow
@pytest.mark.attack
def test_a_persons_webhook_is_off(monkeypatch: pytest.MonkeyPatch, receiver: Standin) -> None:
    """Even one at a public address: the words in it are somebody else's."""
    monkeypatch.setattr(outside, "is_public", lambda address: True)
    with pytest.raises(outside.OutsideError, match="ENABLE_USER_WEBHOOKS=true"):
        webhooks.post(f"{receiver.url}/hook", WORDS)
    assert receiver.paths == []


@pytest.mark.slow
def test_a_launch_allows_peoples_webhooks(monkeypatch: pytest.MonkeyPatch, receiver: Standin) -> None:
    monkeypatch.setenv("ENABLE_USER_WEBHOOKS", "true")
    monkeypatch.setattr(outside, "is_public", lambda address: True)
    webhooks.post(f"{receiver.url}/hook", WORDS)
    assert receiver.paths == ["/hook"]


@pytest.mark.slow
@pytest.mark.attack
def test_a_persons_webhook_never_leads_inside(monkeypatch: pytest.MonkeyPatch, receiver: Standin) -> None:
    monkeypatch.setenv("ENABLE_USER_WEBHOOKS", "true")
    with pytest.raises(outside.OutsideError):
        webhooks.post(f"{receiver.url}/hook", WORDS)
    assert receiver.paths == []


@pytest.mark.slow
def test_the_launchs_own_webhook_may_be_inside(monkeypatch: pytest.MonkeyPatch, receiver: Standin) -> None:
    monkeypatch.setenv("WEBHOOK_URL", f"{receiver.url}/hook")
    webhooks.post(f"{receiver.url}/hook", WORDS)
    assert receiver.paths == ["/hook"]


@pytest.mark.slow
@pytest.mark.attack
def test_the_launchs_own_webhook_follows_no_redirect(monkeypatch: pytest.MonkeyPatch, receiver: Standin) -> None:
    def redirected(*_: object, allow_redirects: bool = True, **__: object) -> requests.Response:
        assert not allow_redirects
        found = requests.Response()
        found.status_code = 200
        return found

    monkeypatch.setenv("WEBHOOK_URL", f"{receiver.url}/hook")
    monkeypatch.setattr(requests, "post", redirected)
    webhooks.post(f"{receiver.url}/hook", WORDS)
