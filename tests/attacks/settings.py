"""Every setting is taken from the launch; a database cannot change what was measured, or what nobody set."""

from __future__ import annotations

from tests.attacks.conftest import TAMPERED, Site


def test_settings_from_a_tampered_database(wide: Site) -> None:
    config = wide.admin.get("/openai/config").json()
    assert config["OPENAI_API_BASE_URLS"] == [f"{wide.model.url}/v1"]
    assert wide.admin.get("/api/webhook").json() == {"url": ""}
    assert wide.admin.get("/api/v1/auths/admin/config").json()["DEFAULT_USER_ROLE"] == "pending"
    permissions = wide.admin.get("/api/v1/users/default/permissions").json()
    assert permissions["workspace"]["tools"] is False
    assert "elsewhere" not in wide.admin.get("/api/v1/retrieval/template").text
    with wide.anonymous() as nobody:
        assert nobody.get("/api/config").json()["default_locale"] == "de"  # a look, and free


def test_settings_imported_by_an_administrator(site: Site) -> None:
    answer = site.admin.post("/api/v1/configs/import", json={"config": TAMPERED})
    assert answer.status_code == 403
    for name in (
        "OAUTH_MERGE_ACCOUNTS_BY_EMAIL",
        "OPENAI_API_BASE_URLS",
        "WEBHOOK_URL",
        "USER_PERMISSIONS",
        "RAG_TEMPLATE",
    ):
        assert name in answer.text
    assert "DEFAULT_LOCALE" not in answer.text
    looks = {"version": 0, "ui": {"default_locale": ""}}
    assert site.admin.post("/api/v1/configs/import", json={"config": looks}).status_code == 200


def test_saving_a_locked_setting_says_which(site: Site) -> None:
    answer = site.admin.post("/api/webhook", json={"url": "http://elsewhere.example/hook"})
    assert answer.status_code == 403 and "WEBHOOK_URL" in answer.text
    form = site.admin.get("/api/v1/auths/admin/config").json()
    assert site.admin.post("/api/v1/auths/admin/config", json=form).status_code == 200
    opened = site.admin.post("/api/v1/auths/admin/config", json={**form, "DEFAULT_USER_ROLE": "admin"})
    assert opened.status_code == 403 and "DEFAULT_USER_ROLE" in opened.text
    banner = [{"id": "1", "type": "info", "content": "hello", "dismissible": True, "timestamp": 1}]
    assert site.admin.post("/api/v1/configs/banners", json={"banners": banner}).status_code == 200
