"""Nobody makes the server fetch what only machines inside may."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.conftest import Site
from tests.attacks.standin import SECRET


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0"]
)
def test_cve_2025_65958_a_page_from_inside(site: Site, host: str) -> None:
    site.model.paths.clear()
    answer = site.eve.post("/api/v1/retrieval/process/web", json={"url": f"http://{host}:{site.model.port}/inside"})
    assert SECRET not in answer.text and "/inside" not in site.model.paths
    assert answer.status_code == 400 or not answer.json()["file"]["data"]["content"]


def test_a_persons_webhook_to_inside(site: Site) -> None:
    site.model.paths.clear()
    hook = {"ui": {"notifications": {"webhook_url": f"{site.model.url}/hook"}}}
    assert site.ada.post("/api/v1/users/user/settings/update", json=hook).status_code == 200
    chat = {"title": "t", "history": {"currentId": None, "messages": {}}}
    chat_id = site.ada.post("/api/v1/chats/new", json={"chat": chat}).json()["id"]
    assert site.ada.ask("hello", chat_id=chat_id, id="m", session_id="s").status_code == 200
    assert "/hook" not in site.model.paths


def test_cve_2025_29446_trying_a_connection_to_inside(site: Site) -> None:
    site.model.paths.clear()
    for path in ("/openai/verify", "/ollama/verify"):
        answer = site.admin.post(path, json={"url": f"{site.model.url}/anything", "key": ""})
        assert answer.status_code == 403 and "this launch" in answer.text
    assert site.model.paths == []
    assert site.admin.post("/openai/verify", json={"url": f"{site.model.url}/v1", "key": ""}).status_code == 200


def test_cve_2026_45338_a_sign_ins_picture_is_not_fetched(release: Path) -> None:
    """There is no provider here to sign in with: the source says whether the picture's address is asked."""
    source = (release / "backend/open_webui/utils/oauth.py").read_text()
    assert "handle_callback" in source and "get(picture_url" not in source
