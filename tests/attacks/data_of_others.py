"""Issue of trust between people: no user reads or changes what is another's. Each attack once walked through."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.attacks.conftest import Site

SECRET = "the password of the vault is tulip"


def collections(site: Site, name: str, who: str = "eve") -> int:
    """The status that a query of this collection gets."""
    form = {"collection_names": [name], "query": "vault", "k": 4}
    answer = site.people[who].post("/api/v1/retrieval/query/collection", json=form)
    assert answer.status_code != 200 or SECRET not in answer.text or who == "ada"
    return int(answer.status_code)


@pytest.fixture(scope="module")
def file_of_ada(site: Site) -> str:
    return str(site.ada.upload(SECRET)["id"])


@pytest.fixture(scope="module")
def base_of_ada(site: Site, file_of_ada: str) -> str:
    return site.ada.knowledge(file_of_ada)


def test_cve_2026_45398_query_of_anothers_collection(site: Site, file_of_ada: str, base_of_ada: str) -> None:
    for name in (f"file-{file_of_ada}", base_of_ada):
        assert collections(site, name, "ada") == 200
        assert collections(site, name) == 404
        single = site.eve.post("/api/v1/retrieval/query/doc", json={"collection_name": name, "query": "vault"})
        assert single.status_code == 404


def test_cve_2026_45398_writing_into_anothers_collection(site: Site, file_of_ada: str, base_of_ada: str) -> None:
    for name in (f"file-{file_of_ada}", base_of_ada, f"user-memory-{site.ada.id}", f"{site.ada.id}-page"):
        form = {"name": "x", "content": "ada owes eve 1000", "collection_name": name}
        assert site.eve.post("/api/v1/retrieval/process/text", json=form).status_code == 404
    assert collections(site, base_of_ada, "ada") == 200


def test_cve_2026_44554_overwriting_anothers_collection(site: Site, base_of_ada: str) -> None:
    for path, more in (("text", {"name": "x", "content": "x"}), ("web", {"url": "http://127.0.0.1:9/"})):
        answer = site.eve.post(f"/api/v1/retrieval/process/{path}", json={"collection_name": base_of_ada, **more})
        assert answer.status_code in (400, 404) and "could not find what you're looking for" in answer.text
    assert collections(site, base_of_ada, "ada") == 200


def test_cve_2026_45398_a_text_lies_in_its_owners_collection(site: Site) -> None:
    name = site.ada.post("/api/v1/retrieval/process/text", json={"name": "x", "content": SECRET}).json()[
        "collection_name"
    ]
    assert name.startswith(site.ada.id) and collections(site, name, "ada") == 200
    assert collections(site, name) == 404
    collections(site, hashlib.sha256(SECRET.encode()).hexdigest())  # where upstream keeps it: nothing is there


def test_cve_2026_44570_cve_2026_29071_anothers_memory(site: Site) -> None:
    memory = site.ada.post("/api/v1/memories/add", json={"content": SECRET}).json()
    assert collections(site, f"user-memory-{site.ada.id}", "ada") == 200
    assert collections(site, f"user-memory-{site.ada.id}") == 404
    changed = site.eve.post(f"/api/v1/memories/{memory['id']}/update", json={"content": "forget the tulip"})
    assert changed.status_code == 404 and SECRET not in changed.text
    assert site.eve.post(f"/api/v1/memories/{memory['id']}/update", json={}).status_code == 404
    assert [entry["content"] for entry in site.ada.get("/api/v1/memories/").json()] == [SECRET]
    mine = site.ada.post(f"/api/v1/memories/{memory['id']}/update", json={"content": "new"})
    assert mine.status_code == 200 and mine.json()["content"] == "new"


def test_cve_2026_45667_embedding_without_login(site: Site) -> None:
    with site.anonymous() as nobody:
        assert nobody.get("/api/v1/memories/ef").status_code == 403


def test_cve_2026_45397_configuration_of_retrieval_without_login(site: Site) -> None:
    with site.anonymous() as nobody:
        assert nobody.get("/api/v1/retrieval/").status_code == 403
    assert site.eve.get("/api/v1/retrieval/").status_code == 200


def test_cve_2026_28788_batch_overwrites_anothers_file(site: Site, file_of_ada: str) -> None:
    stored = site.ada.get(f"/api/v1/files/{file_of_ada}").json()
    forged = {**stored, "path": "", "user_id": site.eve.id, "data": {"content": "there is no vault"}}
    form = {"files": [forged], "collection_name": f"{site.eve.id}-mine"}
    assert site.eve.post("/api/v1/retrieval/process/files/batch", json=form).status_code == 404
    assert site.ada.get(f"/api/v1/files/{file_of_ada}/data/content").json()["content"] == SECRET


def test_cve_2026_28788_content_comes_from_what_is_stored(site: Site) -> None:
    stored = site.ada.get(f"/api/v1/files/{site.ada.upload('as it was')['id']}").json()
    form = {
        "files": [{**stored, "path": "", "data": {"content": "as it is told"}}],
        "collection_name": f"{site.ada.id}-mine",
    }
    assert site.ada.post("/api/v1/retrieval/process/files/batch", json=form).status_code == 200
    assert site.ada.get(f"/api/v1/files/{stored['id']}/data/content").json()["content"] == "as it was"


def test_process_file_of_another(site: Site, file_of_ada: str) -> None:
    for form in (
        {"file_id": file_of_ada},
        {"file_id": file_of_ada, "content": "there is no vault"},
        {"file_id": file_of_ada, "collection_name": f"{site.eve.id}-mine"},
    ):
        answer = site.eve.post("/api/v1/retrieval/process/file", json=form)
        assert answer.status_code == 404 and SECRET not in answer.text
    assert site.ada.get(f"/api/v1/files/{file_of_ada}/data/content").json()["content"] == SECRET


def test_cve_2026_45402_attaching_anothers_file(site: Site, file_of_ada: str) -> None:
    base = site.eve.knowledge()
    for path, form in (
        ("file/add", {"file_id": file_of_ada}),
        ("file/update", {"file_id": file_of_ada}),
        ("files/batch/add", [{"file_id": file_of_ada}]),
    ):
        answer = site.eve.post(f"/api/v1/knowledge/{base}/{path}", json=form)
        assert answer.status_code in (400, 404) and SECRET not in answer.text
    named = {"name": "mine", "description": "", "data": {"file_ids": [file_of_ada]}, "access_control": {}}
    for path in ("create", f"{base}/update"):
        answer = site.eve.post(f"/api/v1/knowledge/{path}", json=named)
        assert answer.status_code == 200 and not (answer.json().get("data") or {}).get("file_ids")
        assert SECRET not in site.eve.get(f"/api/v1/knowledge/{answer.json()['id']}").text


def test_cve_2026_29070_removing_anothers_file_through_ones_own_base(site: Site, file_of_ada: str) -> None:
    base = site.eve.knowledge()
    assert site.eve.post(f"/api/v1/knowledge/{base}/file/remove", json={"file_id": file_of_ada}).status_code == 404
    assert site.ada.get(f"/api/v1/files/{file_of_ada}").status_code == 200


def test_cve_2026_45349_anothers_chat(site: Site) -> None:
    history = {"currentId": "m1", "messages": {"m1": {"id": "m1", "role": "user", "content": SECRET, "parentId": None}}}
    chat = site.ada.post("/api/v1/chats/new", json={"chat": {"title": "t", "history": history, "messages": []}}).json()[
        "id"
    ]
    for path, form in (
        ("/api/chat/completions", {"id": "m1", "session_id": "s", "background_tasks": {"title_generation": True}}),
        ("/api/chat/completed", {"id": "m1", "session_id": "s"}),
        ("/api/chat/actions/x", {"id": "m1", "session_id": "s"}),
    ):
        body = {
            "model": "open-model",
            "chat_id": chat,
            "messages": [{"role": "user", "content": "hi"}],
            "stream": False,
            **form,
        }
        answer = site.eve.post(path, json=body)
        assert answer.status_code in (400, 404) and SECRET not in answer.text
    assert site.ada.get(f"/api/v1/chats/{chat}").json()["chat"]["history"] == history
    assert site.ada.ask("hello", chat_id=chat, id="m1", session_id="s").status_code == 200


def attached(site: Site, who: str, *files: dict[str, object]) -> str:
    """What the model was told when this person attaches these files to a chat."""
    answer = site.people[who].ask("what about the vault?", files=list(files))
    assert answer.status_code == 200, answer.text
    return answer.text


def test_cve_2026_54012_files_named_in_a_chat(site: Site, file_of_ada: str, base_of_ada: str) -> None:
    told: list[dict[str, object]] = [
        {"type": "file", "id": file_of_ada},
        {"type": "file", "id": file_of_ada, "collection_name": f"file-{file_of_ada}"},
        {"type": "doc", "collection_name": f"file-{file_of_ada}"},
        {"type": "collection", "id": base_of_ada},
        {"type": "collection", "legacy": True, "collection_names": [base_of_ada, f"file-{file_of_ada}"]},
        {"legacy": True, "id": base_of_ada},
    ]
    for item in told:
        assert SECRET in attached(site, "ada", item), item
        assert SECRET not in attached(site, "eve", item), item


def test_cve_2026_70487_a_models_knowledge_is_its_makers(site: Site, base_of_ada: str) -> None:
    item = {"id": base_of_ada, "name": "x", "type": "collection"}
    for maker, leaks in (("eve", False), ("ada", True)):
        form = {
            "id": f"model-of-{maker}", "name": "m", "base_model_id": "open-model", "params": {}, "access_control": None,
            "meta": {"knowledge": [item]},
        }  # fmt: skip
        assert site.people[maker].post("/api/v1/models/create", json=form).status_code == 200
        assert site.eve.get("/api/models").status_code == 200
        answer = site.eve.ask("what about the vault?", model=form["id"])
        assert answer.status_code == 200 and (SECRET in answer.text) is leaks


def test_sharing_a_base_shares_its_files(site: Site) -> None:
    file_id = site.ada.upload("the shared word is rose")["id"]
    base = site.ada.knowledge(file_id, access={"read": {"user_ids": [site.eve.id], "group_ids": []}})
    assert "rose" in attached(site, "eve", {"type": "collection", "id": base})
    assert "rose" in site.eve.get(f"/api/v1/knowledge/{base}").text
    assert site.eve.post(f"/api/v1/knowledge/{base}/file/remove", json={"file_id": file_id}).status_code == 400


def test_cve_2026_45396_feedback_in_anothers_name(site: Site) -> None:
    form = {"type": "rating", "data": {"rating": 1}, "user_id": site.ada.id, "id": "chosen"}
    made = site.eve.post("/api/v1/evaluations/feedback", json=form)
    assert made.status_code == 200 and made.json()["user_id"] == site.eve.id and made.json()["id"] != "chosen"


def test_cve_2026_45675_only_the_first_sign_up_is_administrator(site: Site) -> None:
    """The server's first accounts were asked for at once (`conftest.race`)."""
    assert len(site.race) >= 8 and sorted(site.race)[0] == 200
    assert site.race.count(200) == 1 and set(site.race) == {200, 403}
    users = site.admin.get("/api/v1/users/").json()
    assert [user["role"] for user in users].count("admin") == 1
    form = {"name": "m", "email": "mallory@example.com", "password": "x" * 12}
    with site.anonymous() as nobody:
        assert nobody.post("/api/v1/auths/signup", json=form).status_code == 403


def test_prompts_reach_the_model_and_answers_come_back(site: Site) -> None:
    assert "good morning" in json.dumps(site.ada.ask("good morning").json())
