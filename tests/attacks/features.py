"""What is switched off is refused by its handler."""

from __future__ import annotations

import pytest

from tests.attacks.conftest import Site


def test_channels_that_are_off(site: Site, wide: Site) -> None:
    for path in ("/", "/x", "/x/messages"):
        assert site.admin.get(f"/api/v1/channels{path}").status_code == 403
    made = site.admin.post("/api/v1/channels/create", json={"name": "c"})
    assert made.status_code == 403 and "ENABLE_CHANNELS=true" in made.text
    assert wide.ada.get("/api/v1/channels/").status_code == 200


def test_cve_2025_64496_direct_connections_that_are_off(site: Site) -> None:
    model = {
        "id": "mine",
        "direct": True,
        "urlIdx": 0,
        "info": {"meta": {"knowledge": [{"id": "x", "type": "collection"}]}},
    }
    answer = site.eve.ask("hi", model="mine", model_item=model)
    assert answer.status_code == 403 and "ENABLE_DIRECT_CONNECTIONS=true" in answer.text


def test_cve_2026_45672_code_execution_that_is_off(wide: Site) -> None:
    """`wide` names a Jupyter server (the stand-in) and has code execution off."""
    wide.model.paths.clear()
    answer = wide.eve.post("/api/v1/utils/code/execute", json={"code": "1"})
    assert answer.status_code == 403 and "ENABLE_CODE_EXECUTION=true" in answer.text
    assert wide.model.paths == []


@pytest.mark.parametrize("feature", ["web_search", "image_generation"])
def test_a_chats_features_that_are_off(site: Site, feature: str) -> None:
    answer = site.eve.ask("hi", features={feature: True})
    assert answer.status_code == 403 and "at launch allows it" in answer.text
    assert site.eve.ask("hi", features={feature: False}).status_code == 200


def test_cve_2026_45331_web_search_that_is_off(site: Site) -> None:
    answer = site.eve.post("/api/v1/retrieval/process/web/search", json={"query": "q", "collection_name": ""})
    assert answer.status_code == 403 and "ENABLE_RAG_WEB_SEARCH=true" in answer.text


def test_pictures_that_are_off(site: Site) -> None:
    assert site.eve.post("/api/v1/images/generations", json={"prompt": "p"}).status_code == 403
