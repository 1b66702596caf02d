"""`quote-verifier connect` before a running release, as people use it: by OpenAI's own client, and plain requests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tests.browser.running import Server, serve
from tests.ports import free_port
from tests.quote_verifier.world import platform

pytestmark = [pytest.mark.release, pytest.mark.slow]
SOURCES = Path(__file__).resolve().parents[2] / "quote_verifier" / "src"
WHO = {"name": "Ada", "email": "ada@example.org", "password": "a long password 1"}


@pytest.fixture(scope="module")
def server(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("connect")
    with serve(release / "open-webui-tdx", folder / "data", free_port()) as made:
        yield made


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    """An API key that Open WebUI made for its first user."""
    token = requests.post(f"{server.url}/api/v1/auths/signup", json=WHO, timeout=30).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    return str(requests.post(f"{server.url}/api/v1/auths/api_key", headers=headers, timeout=30).json()["api_key"])


@pytest.fixture(scope="module")
def held(server: Server, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reference values of this very launch: its log, as the evidence has it."""
    log = requests.get(f"{server.url}/api/v1/tee/quote", timeout=30).json()["event_log"].splitlines()
    events = [line for line in log if line.startswith("open-webui-tdx ") and not re.match(r"\S+ (site|launch) ", line)]
    file = tmp_path_factory.mktemp("held") / "held.json"
    file.write_text(json.dumps({"v": 2, "name": "test", "events": events, "platforms": [platform()]}))
    return file


@contextmanager
def connected(server: Server, held: Path, folder: Path, *more: str) -> Iterator[str]:
    """The address that the command prints."""
    command = [sys.executable, "-m", "quote_verifier", "connect", server.url, "--release", str(held), "--port", "0"]
    command += ["--json", "--cache", str(folder / "cache"), *more]
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment | {"PYTHONPATH": str(SOURCES)}
    )
    with process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            assert "address" in said, said
            yield str(said["address"])
        finally:
            process.terminate()


def test_openais_client_chats_through_the_channel(server: Server, key: str, held: Path, tmp_path: Path) -> None:
    with connected(server, held, tmp_path, "--accept", "simulated") as address:
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


def test_simulated_hardware_is_not_connected_to_unasked(server: Server, held: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="Not connected. Real hardware"), connected(server, held, tmp_path):
        pass
