"""Every door to a model server asks whether this user may have this model."""

from __future__ import annotations

from typing import Any

from tests.attacks.conftest import Site


def test_closed_models_are_closed(site: Site) -> None:
    assert site.eve.ask("hi").status_code == 200
    assert site.eve.ask("hi", model="closed-model").status_code in (400, 403)
    assert site.admin.ask("hi", model="closed-model").status_code == 200


def test_cve_2026_45365_bypass_filter_in_the_address(site: Site) -> None:
    form = {"model": "closed-model", "messages": [{"role": "user", "content": "hi"}]}
    for path in ("/openai/chat/completions", "/ollama/api/chat"):
        assert site.eve.post(f"{path}?bypass_filter=true", json=form).status_code == 403


def test_cve_2026_44555_a_wrapper_around_a_closed_model(site: Site) -> None:
    form: dict[str, Any] = {
        "id": "wrapper",
        "name": "w",
        "base_model_id": "closed-model",
        "meta": {},
        "params": {},
        "access_control": None,
    }
    assert site.eve.post("/api/v1/models/create", json=form).status_code == 200
    assert site.eve.get("/api/models").status_code == 200
    assert site.eve.ask("hi", model="wrapper").status_code in (400, 403)
    direct = {"model": "wrapper", "messages": [{"role": "user", "content": "hi"}]}
    assert site.eve.post("/openai/chat/completions", json=direct).status_code == 403


def test_cve_2026_44555_an_administrators_wrapper_may_be_used(site: Site) -> None:
    form: dict[str, Any] = {
        "id": "offered",
        "name": "o",
        "base_model_id": "closed-model",
        "meta": {},
        "params": {},
        "access_control": None,
    }
    assert site.admin.post("/api/v1/models/create", json=form).status_code == 200
    assert site.eve.get("/api/models").status_code == 200
    assert site.eve.ask("hi", model="offered").status_code == 200


def test_cve_2026_44556_any_path_of_the_provider(site: Site) -> None:
    site.model.paths.clear()
    for method in ("GET", "POST", "DELETE"):  # to GET, the page answers with itself
        answer = site.eve.client.request(method, "/openai/fine_tuning/jobs")
        assert answer.status_code in (404, 405) or answer.text.startswith("<!doctype html>")
    assert not any("fine_tuning" in path for path in site.model.paths)


def test_cve_2026_109296_a_model_servers_whole_list(site: Site) -> None:
    answer = site.eve.get("/openai/models/0")
    assert answer.status_code == 403 and "closed-model" not in answer.text
    assert "closed-model" not in site.eve.get("/openai/models").text
    assert "closed-model" in site.admin.get("/openai/models/0").text
    with site.anonymous() as nobody:
        assert nobody.get("/ollama/api/version").status_code == 403
    for path in ("tags/0", "version/0"):
        assert site.eve.get(f"/ollama/api/{path}").status_code == 403
    assert site.eve.get("/ollama/api/ps").status_code == 401


def test_cve_2026_54021_a_model_server_by_its_number(site: Site) -> None:
    """A model that one may ask, of a server that is switched off, or has another one under the name."""
    form = {"model": "open-model", "name": "open-model", "prompt": "x", "input": "x", "messages": []}
    for path in ("api/embed", "api/embeddings", "api/generate", "api/chat", "v1/completions", "v1/chat/completions"):
        answer = site.eve.post(f"/ollama/{path}/0", json=form)
        assert answer.status_code == 403 and "name the model server" in answer.text, path
    assert site.eve.get("/ollama/v1/models/0").status_code == 403


def test_cve_2026_59225_the_arena_is_for_administrators(wide: Site) -> None:
    """It answers with any model. The one that there is where it is on is an administrator's, and there is no other."""
    assert wide.eve.ask("hi", model="arena-model").status_code in (400, 403)
    assert "selected_model_id" in wide.admin.ask("hi", model="arena-model").json()
    everybodys = {"id": "mine", "name": "m", "meta": {"access_control": None, "model_ids": ["closed-model"]}}
    form = {"ENABLE_EVALUATION_ARENA_MODELS": True, "EVALUATION_ARENA_MODELS": [everybodys]}
    assert wide.admin.post("/api/v1/evaluations/config", json=form).status_code == 403


def test_cve_2026_44563_ollamas_other_doors(site: Site) -> None:
    for path, form in (
        ("embed", {"model": "closed-model", "input": "x"}), ("embeddings", {"model": "closed-model", "prompt": "x"}),
        ("generate", {"model": "closed-model", "prompt": "x"}), ("show", {"name": "closed-model"}),
    ):  # fmt: skip
        assert site.eve.post(f"/ollama/api/{path}", json=form).status_code == 403
    completion = {"model": "closed-model", "prompt": "x", "messages": [{"role": "user", "content": "x"}]}
    for path in ("completions", "chat/completions"):
        assert site.eve.post(f"/ollama/v1/{path}", json=completion).status_code == 403


def test_cve_2026_45351_cve_2026_45387_a_models_system_prompt(site: Site) -> None:
    form: dict[str, Any] = {
        "id": "prompted",
        "name": "p",
        "base_model_id": "open-model",
        "meta": {},
        "params": {"system": "the prompt is nobody else's", "temperature": 0.5},
        "access_control": None,
    }
    assert site.ada.post("/api/v1/models/create", json=form).status_code == 200
    for path in ("/api/models", "/api/v1/models/model?id=prompted", "/api/v1/models/", "/openai/models"):
        assert "nobody else's" not in site.eve.get(path).text, path
    assert "0.5" in site.eve.get("/api/v1/models/model?id=prompted").text
    assert "nobody else's" in site.ada.get("/api/models").text
    assert "nobody else's" in site.ada.get("/api/v1/models/model?id=prompted").text
    # The model is told it, as ever: the stand-in answers with all that it was told.
    assert "nobody else's" in site.eve.ask("hi", model="prompted").text
