"""Administrators keep the server; they do not read what people write in it, unless a measured setting says so."""

from __future__ import annotations

from tests.attacks.conftest import PASSWORD, Site

SECRET = "only for my doctor"


def update(site: Site, other: str, **changed: str) -> tuple[int, str]:
    person = site.people[other]
    form = {"name": other, "email": person.email, "profile_image_url": "/user.png", **changed}
    answer = site.admin.post(f"/api/v1/users/{person.id}/update", json=form)
    return answer.status_code, answer.text


def test_administrator_sets_anothers_password(site: Site) -> None:
    status, text = update(site, "ada", password="known to the administrator")
    assert status == 403 and "ENABLE_ADMIN_DATA_ACCESS" in text and "its chats are lost" in text
    assert site.sign_in(site.ada.email).id == site.ada.id


def test_administrator_changes_anothers_address(site: Site) -> None:
    status, text = update(site, "ada", email="administrators.own@example.com")
    assert status == 403 and "ENABLE_ADMIN_DATA_ACCESS" in text
    assert update(site, "ada")[0] == 200


def test_administrator_changes_their_own_password(site: Site) -> None:
    assert update(site, "admin", password=PASSWORD)[0] == 200


def test_administrator_takes_anothers_key(wide: Site) -> None:
    key = wide.ada.post("/api/v1/auths/api_key").json()["api_key"]
    assert key.startswith("sk-")
    wide.ada.post("/api/v1/users/user/settings/update", json={"ui": {"system": SECRET}})
    seen = [
        wide.admin.get("/api/v1/users/").text,
        wide.admin.get("/api/v1/evaluations/feedbacks/all").text,
        update(wide, "ada")[1],
        wide.admin.post("/api/v1/users/update/role", json={"id": wide.ada.id, "role": "user"}).text,
    ]
    assert wide.ada.id in seen[0]
    for text in seen:
        assert key not in text and SECRET not in text


def test_administrator_reads_anothers_file(site: Site) -> None:
    file_id = site.ada.upload(SECRET)["id"]
    for path in ("", "/content", "/content/html", "/content/notes.txt", "/data/content"):
        answer = site.admin.get(f"/api/v1/files/{file_id}{path}")
        assert answer.status_code == 404 and SECRET not in answer.text
    assert SECRET not in site.admin.get("/api/v1/files/").text
    changed = site.admin.post(f"/api/v1/files/{file_id}/data/content/update", json={"content": "x"})
    assert changed.status_code == 404


def test_administrator_reads_anothers_knowledge(site: Site) -> None:
    file_id = site.ada.upload(f"{SECRET}, twice")["id"]
    base = site.ada.knowledge(file_id)
    assert SECRET not in site.admin.get(f"/api/v1/knowledge/{base}").text
    opened = {"name": "mine", "description": "", "access_control": None}
    assert site.admin.post(f"/api/v1/knowledge/{base}/update", json=opened).status_code == 400
    assert base not in site.admin.get("/api/v1/knowledge/").text
    for name in (base, f"file-{file_id}", f"user-memory-{site.ada.id}"):
        form = {"collection_names": [name], "query": "doctor"}
        assert site.admin.post("/api/v1/retrieval/query/collection", json=form).status_code == 404


def test_administrator_exports_feedback_with_chats(site: Site) -> None:
    form = {"type": "rating", "data": {"rating": 1}, "snapshot": {"chat": {"title": SECRET}}}
    assert site.ada.post("/api/v1/evaluations/feedback", json=form).status_code == 200
    exported = site.admin.get("/api/v1/evaluations/feedbacks/all/export")
    assert exported.status_code == 200 and site.ada.id in exported.text and SECRET not in exported.text
    assert SECRET not in site.admin.get("/api/v1/evaluations/feedbacks/all").text


def test_administrator_exports_chats(site: Site) -> None:
    chat = {"title": SECRET, "history": {"currentId": None, "messages": {}}}
    chat_id = site.ada.post("/api/v1/chats/new", json={"chat": chat}).json()["id"]
    for path in (
        "/api/v1/chats/all/db", f"/api/v1/chats/list/user/{site.ada.id}", f"/api/v1/chats/{chat_id}",
        f"/api/v1/chats/share/{chat_id}", "/api/v1/utils/db/download",
    ):  # fmt: skip
        answer = site.admin.get(path)
        assert answer.status_code == 401 and SECRET not in answer.text, path


def test_a_forgotten_password_is_a_new_account(site: Site) -> None:
    lost = site.add("forgetful")
    file_id = lost.upload(SECRET)["id"]
    assert site.admin.delete(f"/api/v1/users/{lost.id}").status_code == 200
    form = {"name": "forgetful", "email": lost.email, "password": PASSWORD, "role": "user"}
    assert site.admin.post("/api/v1/auths/add", json=form).status_code == 200
    anew = site.sign_in(lost.email)
    assert anew.id != lost.id and anew.get(f"/api/v1/files/{file_id}").status_code == 404
    assert site.admin.get(f"/api/v1/files/{file_id}").status_code == 404
