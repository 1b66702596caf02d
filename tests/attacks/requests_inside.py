"""Nobody makes the server fetch what only machines inside may."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.attacks.conftest import Site
from tests.attacks.standin import PICTURE, PROVIDER, SECRET


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


def test_cve_2026_45338_a_sign_ins_picture_is_not_fetched(wide: Site) -> None:
    """Whoever signs in by a provider names a picture, which the server fetched from inside, their token with it."""
    wide.model.paths.clear()
    with wide.anonymous() as nobody:
        asked = nobody.get("/oauth/oidc/login")
        assert asked.status_code == 302 and asked.headers["location"].startswith(
            f"{wide.model.url}{PROVIDER}/authorize"
        )
        state = parse_qs(urlsplit(asked.headers["location"]).query)["state"][0]
        back = nobody.get("/oauth/oidc/callback", params={"code": "newcomer", "state": state})
        assert back.status_code == 307 and "token" in nobody.cookies
    assert f"{PROVIDER}/userinfo" in wide.model.paths and PICTURE not in wide.model.paths
    found = [user for user in wide.admin.get("/api/v1/users/").json() if user["email"] == "newcomer@example.com"]
    assert [user["profile_image_url"] for user in found] == ["/user.png"]
