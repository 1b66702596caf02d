"""No log holds what people write: not the audit log, not the console, at no level."""

from __future__ import annotations

from tests.attacks.conftest import PASSWORD, Site

MARK = "zebra-crossing-7431"


def test_audit_log_and_console_hold_no_words(site: Site) -> None:
    assert MARK in site.ada.ask(f"my {MARK}").text
    chat = {"title": MARK, "history": {"currentId": None, "messages": {}}}
    chat_id = site.ada.post("/api/v1/chats/new", json={"chat": chat}).json()["id"]
    site.ada.ask(f"my {MARK}", chat_id=chat_id, id="m", session_id="s", stream=True)
    site.ada.post("/api/v1/memories/add", json={"content": MARK})
    site.ada.upload(MARK)
    site.ada.post("/api/v1/retrieval/process/text", json={"name": "x", "content": f"the {MARK}"})
    form = {"email": site.ada.email, "password": f"{MARK} wrong"}
    site.ada.post("/api/v1/auths/signin", json=form)
    site.ada.post("/api/v1/auths/update/password", json={"password": PASSWORD, "new_password": PASSWORD})
    assert not (site.data / "audit.log").exists()
    written = site.log.read_text(errors="replace")
    assert MARK not in written and PASSWORD not in written and "/api/chat/completions" in written
