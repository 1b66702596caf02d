"""Only measured models can be chatted with."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fastapi import HTTPException
from open_webui.tee import models

CHAT = "http://ollama/api/chat"


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "measured.json").write_text(json.dumps({"v": 1, "models": {"tiny:latest": "aa", "big:70b": "bb"}}))
    monkeypatch.setenv("TEE_MEASURED_MODELS", str(tmp_path / "measured.json"))
    found = {"tiny:latest": "aa", "big:70b": "cc", "other:latest": "dd"}

    remembered = dict(found)

    async def answer(base_url: str, fresh: bool = False) -> dict[str, str]:
        assert base_url == "http://ollama"
        if fresh:
            remembered.clear()
            remembered.update(found)
        return remembered

    monkeypatch.setattr(models, "_list", answer)
    return found


def check(name: object, url: str = CHAT) -> None:
    asyncio.run(models.check(url, json.dumps({"model": name, "messages": []})))


@pytest.mark.parametrize("name", ["tiny", "tiny:latest"])
def test_a_measured_model_answers(offered: dict[str, str], name: str) -> None:
    check(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other", "was not measured"),
        ("big:70b", "is not the one"),
        ("tiny:other", "was not measured"),
        (None, "cannot be told"),
        ({"a": 1}, "cannot be told"),
    ],
)
def test_anything_else_does_not(offered: dict[str, str], name: object, words: str) -> None:
    for path in models.CHAT_PATHS:
        with pytest.raises(HTTPException, match=words) as caught:
            check(name, f"http://ollama{path}")
        assert caught.value.status_code == 403


def test_nobody_is_refused_from_memory(offered: dict[str, str]) -> None:
    offered["big:70b"] = "bb"  # pulled since the list was last asked
    check("big:70b")


def test_a_model_pulled_anew_is_another_model(offered: dict[str, str]) -> None:
    offered["tiny:latest"] = "ee"
    with pytest.raises(HTTPException, match="is not the one"):
        check("big:70b")  # asks for the list anew
    with pytest.raises(HTTPException, match="is not the one that was measured"):
        check("tiny")


def test_a_lost_list_allows_nothing(offered: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "measured.json").unlink()
    with pytest.raises(HTTPException, match="cannot be told"):
        check("tiny")


def test_other_requests_and_other_launches_pass(offered: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    check("other", "http://ollama/api/pull")
    monkeypatch.delenv("TEE_MEASURED_MODELS")
    check("other")


@pytest.mark.attack
def test_the_relays_sentence_reaches_whoever_chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher's relay answers for an Ollama that is not the measured one, and says why."""
    (tmp_path / "measured.json").write_text(json.dumps({"v": 1, "models": {"tiny:latest": "aa"}}))
    monkeypatch.setenv("TEE_MEASURED_MODELS", str(tmp_path / "measured.json"))

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"error": "another program answers"}')

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(HTTPException, match="another program answers") as caught:
            check("tiny", f"http://127.0.0.1:{server.server_port}/api/chat")
        server.shutdown()
    assert caught.value.status_code == 503
