"""`quote-verifier connect` before a running release, as people use it: by OpenAI's own client, and plain requests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tests.browser.running import Server, serve
from tests.ports import free_port
from tests.release.channel_client import Inside, Outside
from tests.release.connecting import connected, hold

pytestmark = [pytest.mark.release, pytest.mark.slow]
WHO = {"name": "Ada", "email": "ada@example.org", "password": "a long password 1"}


@pytest.fixture(scope="module")
def server(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("connect")
    with serve(release / "open-webui-tdx", folder / "data", free_port(), TEE_CHANNEL="require") as made:
        yield made


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    """An API key that Open WebUI made for its first user, inside the channel, where it is good."""
    inside = Inside(server.url)
    token = inside.ask("POST", "/api/v1/auths/signup", body=WHO)[1]["token"]
    return str(inside.ask("POST", "/api/v1/auths/api_key", token)[1]["api_key"])


@pytest.fixture(scope="module")
def held(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hold(server, tmp_path_factory.mktemp("held") / "held.json")


def test_openais_client_chats_through_the_channel(server: Server, key: str, held: Path, tmp_path: Path) -> None:
    with connected(server.url, held, tmp_path, "--accept", "simulated") as running:
        address = running.said()["address"]
        client = openai.OpenAI(base_url=address, api_key=key, max_retries=0)
        models = [model.id for model in client.models.list()]
        assert models
        asked: Any = [{"role": "user", "content": "Say hello."}]
        whole = client.chat.completions.create(model=models[0], messages=asked)
        assert whole.choices[0].message.content
        streamed = client.chat.completions.create(model=models[0], messages=asked, stream=True)
        words = [each.choices[0].delta.content for each in streamed if each.choices]
        assert len(words) > 2 and "".join(word or "" for word in words)
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=address, api_key="sk-none", max_retries=0).models.list()
        refused = requests.get(f"{address}/models", headers={"Origin": "https://evil.example"}, timeout=10)
        assert refused.status_code == 403


def test_curl_gets_a_streamed_answer(server: Server, key: str, held: Path, tmp_path: Path) -> None:
    with connected(server.url, held, tmp_path, "--accept", "simulated") as running:
        address = running.said()["address"]
        headers = {"Authorization": f"Bearer {key}"}
        model = requests.get(f"{address}/models", headers=headers, timeout=30).json()["data"][0]["id"]
        asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
        command = ["curl", "-sSN", f"{address}/chat/completions", "-H", f"Authorization: Bearer {key}"]
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(asked)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        assert said.startswith("data: {") and said.rstrip().endswith("data: [DONE]")


def test_the_same_key_is_refused_outside(server: Server, key: str) -> None:
    assert Outside(server.url).ask("GET", "/api/models", key)[0] == 403


def test_simulated_hardware_is_not_connected_to_unasked(server: Server, held: Path, tmp_path: Path) -> None:
    with connected(server.url, held, tmp_path) as running:
        assert running.said()["message"].startswith("Not connected. Real hardware")
