"""The built release, started by its own launcher: the real web server, a real model, a simulated TD."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from launcher.serve import tls_keys
from tests.ports import free_port

from . import apart, ollama_standin
from .conftest import Running, environment

pytestmark = [pytest.mark.release, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
READY = "Ctrl-C stops it"
START_S = 300
#: Root's processes can have accounts of their own only with a Python that these can run.
APART = apart.python() if os.geteuid() == 0 else None
PYTHON = {"PYTHON": APART} if APART else {}


@pytest.fixture(scope="module")
def built() -> Path:
    dist = Path(os.environ.get("DIST_DIR", ROOT / "dist"))
    found = sorted(dist.glob("open-webui-tdx-*/release.json"))
    if not found:
        pytest.fail("there is no release in dist/: run `make build` first")
    return found[0].parent


def begin(release: Path, data: Path, *arguments: str, **settings: str) -> Running:
    port = free_port()
    env = environment(**{"LLM": "embedded", "DATA_DIR": str(data), "PORT": str(port), **settings})
    command = [str(release / "open-webui-tdx"), *(("run", *arguments) if arguments else ())]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return Running(process, data, port)


@dataclass
class Client:
    """A person's requests."""

    url: str
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=120) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def json(self, path: str, body: dict[str, Any] | None = None) -> Any:
        status, text = self.ask(path, body)
        assert status == 200, text
        return json.loads(text)


@pytest.fixture(scope="module")
def running(built: Path) -> Iterator[Running]:
    """Where root starts it, every process runs as the account that is its own, as on a real service."""
    with apart.public_folder() as folder:
        found = begin(apart.release(built, folder), folder / "data", **PYTHON)
        found.until(READY, START_S)
        yield found
        if found.process.poll() is None:
            assert found.end() == 0
        assert not found.members()


@pytest.fixture(scope="module")
def client(running: Running) -> Client:
    found = Client(f"http://127.0.0.1:{running.port}")
    person = {"name": "A", "email": "a@example.com", "password": secrets.token_urlsafe()}
    found.token = found.json("/api/v1/auths/signup", person)["token"]
    return found


def events(built: Path, **python: str) -> list[dict[str, Any]]:
    env = environment(LLM="embedded", DATA_DIR="/nonexistent", **python)
    done = subprocess.run([built / "open-webui-tdx", "events", "--no-check"], env=env, capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_registers_equal_the_builds_reference_values(built: Path, running: Running, client: Client) -> None:
    expected = events(built, **PYTHON)
    evidence = client.json("/api/v1/tee/quote")
    assert evidence["quote_parse"]["rtmr_3"] == expected[-1]["rtmr_3"]
    assert evidence["event_log"].splitlines()[1:-1] == [line["event"] for line in expected[:-1]]
    expected = events(built)  # with the Python of the build
    for file in built.parent.glob("*reference-values.json"):
        values = json.loads(file.read_text())
        if values["events"][0] == expected[0]["event"]:  # of this very build
            assert values["rtmr_3"] == expected[-1]["rtmr_3"]


def test_the_model_answers_in_a_stream(client: Client) -> None:
    (model,) = client.json("/api/models")["data"]
    question = {"model": model["id"], "stream": True, "messages": [{"role": "user", "content": "Say hello."}]}
    status, text = client.ask("/api/chat/completions", question)
    pieces = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    answer = "".join(piece["choices"][0]["delta"].get("content") or "" for piece in pieces if piece.get("choices"))
    assert status == 200 and len(pieces) > 2 and answer.strip() and "data: [DONE]" in text


def test_measured_settings_are_read_only(client: Client) -> None:
    before = client.json("/openai/config")
    status, text = client.ask("/openai/config/update", {**before, "OPENAI_API_BASE_URLS": ["http://evil.example/v1"]})
    assert status == 403 and "OPENAI_API_BASE_URLS was measured" in text
    assert client.json("/openai/config") == before
    assert client.json("/openai/config/update", before) == before  # saving the page unchanged is fine


def test_settings_win_over_an_imported_configuration(client: Client) -> None:
    config = client.json("/api/v1/configs/export")
    config["openai"] = {"enable": True, "api_base_urls": ["http://evil.example/v1"], "api_keys": ["x"]}
    status, text = client.ask("/api/v1/configs/import", {"config": config})
    assert status == 403 and "OPENAI_API_BASE_URLS" in text
    assert "evil" not in json.dumps(client.json("/openai/config"))


def test_a_tool_is_measured_before_it_runs(running: Running, client: Client) -> None:
    content = 'class Tools:\n    def hi(self) -> str:\n        """Says hi."""\n        return "hi"\n'
    tool = {"id": "greeter", "name": "Greeter", "content": content, "meta": {"description": "d"}}
    client.json("/api/v1/tools/create", tool)
    *_, measured, in_force = running.log()
    assert measured.startswith('open-webui-tdx tool {"id":"greeter"')
    assert in_force.startswith("open-webui-tdx launch ")
    assert client.json("/api/v1/tee/quote")["event_log"].splitlines() == running.log()


def test_nothing_was_written_into_the_release(built: Path, running: Running, client: Client) -> None:
    done = subprocess.run([built / "open-webui-tdx", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.attack
@pytest.mark.skipif(APART is None, reason="needs root, and a Python that other accounts can run")
def test_no_account_of_a_launch_reaches_anothers_secrets(running: Running, client: Client) -> None:
    """The web server runs administrators' Python; the door holds keys; neither may open the device."""
    assert APART
    found = apart.processes(running.members())
    attester, door, web = (found[name] for name in ("quote_generator.attester", "door", "launcher.serve.web"))
    assert attester[1] == 0 and 0 not in (door[1], web[1]) and door[1] != web[1]
    assert door[1] not in [uid for name, (_, uid) in found.items() if name != "door"]
    data = running.data
    roots = [
        data / name for name in ("secret_key", "attestation", "logs", "tdx-simulator", "run/sockets/attester.sock")
    ]
    others = [attester[0], running.process.pid, running.launches(), *roots, tls_keys.RUN / "open-webui-tdx"]
    assert apart.gets(APART, web[1], door[0], *others) == set()
    assert apart.gets(APART, door[1], web[0], *others, data / "webui") == {str(data / "run/sockets/attester.sock")}
    # What has no bounds by accounts must not be empty: the same ways lead into a process of one's own account.
    assert {f"{web[0]} mem", f"{web[0]} signal", f"{web[0]} ptrace"} <= apart.gets(APART, web[1], web[0])
    assert f"{door[0]} mem" not in apart.gets(APART, door[1], door[0]), "a door can be looked at by nobody"


def test_a_restart_keeps_users_settings_and_register(built: Path, running: Running, client: Client) -> None:
    before = running.log()
    assert running.end() == 0 and not running.members()
    again = begin(apart.release(built, running.data.parent), running.data, **PYTHON)
    try:
        assert "nothing new" in again.until(READY, START_S)
        assert again.log() == before
        later = Client(f"http://127.0.0.1:{again.port}", client.token)
        assert later.json("/api/v1/auths/")["email"] == "a@example.com"  # the secret is the same
        assert "evil" not in json.dumps(later.json("/openai/config"))  # an old database changes nothing
        assert again.members()
        again.process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + 30  # the launcher's other process stops them in order
        while again.members():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        again.process.kill()
        again.process.wait()


def chat(client: Client, model: str) -> str:
    messages = [{"role": "user", "content": "How is it?"}]
    return client.ask("/api/chat/completions", {"model": model, "stream": True, "messages": messages})[1]


def test_only_measured_models_of_ollama_answer(built: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with ollama_standin.running() as server:
        server.offer("tiny:latest", ollama_standin.add_model(store))
        chosen = {"OLLAMA_BASE_URL": server.url, "OLLAMA_MODELS": str(store)}
        service = begin(built, tmp_path / "data", LLM="auto", **chosen)
        try:
            assert "tiny:latest" in service.until(READY, START_S)
            assert [line.split(" ")[1] for line in service.log()[-3:]] == ["ollama", "model", "launch"]
            client = Client(f"http://127.0.0.1:{service.port}")
            person = {"name": "A", "email": "a@example.com", "password": "secret"}
            client.token = client.json("/api/v1/auths/signup", person)["token"]
            client.json("/api/models")
            assert "well." in chat(client, "tiny:latest")
            server.offer("late:1b", ollama_standin.add_model(store, "library/late/1b", b"late"))
            client.json("/api/models?refresh=true"), client.json("/ollama/api/tags")
            assert "late:1b was not measured" in chat(client, "late:1b")
            env = environment(DATA_DIR=str(service.data), **chosen)
            command = [str(built / "open-webui-tdx"), "measure-model", "late:1b"]
            subprocess.run(command, env=env, check=True, capture_output=True)
            *_, measured, in_force = service.log()
            assert '"name":"late:1b"' in measured
            assert len(json.loads(in_force.split(" ", 2)[2])["lines"]) == len(service.log()) - 3, "beside the rest"
            assert "well." in chat(client, "late:1b")
            server.tags[0]["digest"] = "0" * 64  # pulled anew
            time.sleep(2.5)
            assert "not the one that was measured" in chat(client, "tiny:latest")
        finally:
            service.end()


CHANGES = (
    "backend/open_webui/frontend/index.html",
    "backend/open_webui/config.py",
    "llm/SmolLM2-135M-Instruct.Q4_1.gguf",
)


def test_one_changed_byte_is_refused(built: Path, tmp_path: Path) -> None:
    """Each change alone, in a copy that shares all other files with the release."""
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-al", built, copy], check=True)
    for name in CHANGES:
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).unlink()
        (copy / name).write_bytes(content)
        done = subprocess.run([copy / "open-webui-tdx", "check"], capture_output=True, text=True)
        assert done.returncode == 6 and f"{name} (changed)" in done.stderr
        (copy / name).unlink()
        os.link(built / name, copy / name)
    (copy / "site-packages" / "sitecustomize.py").write_text("")
    done = subprocess.run([copy / "open-webui-tdx", "check"], capture_output=True, text=True)
    assert done.returncode == 6 and "sitecustomize.py (added)" in done.stderr
