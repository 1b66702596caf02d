"""A release whose data is encrypted, as its owner uses it: locked, opened, killed in the middle, opened again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from quote_verifier.encoding import from_base64url

from data_unlock.ends import Asking
from data_unlock.message import Action
from launcher.serve import mounts
from tests import leftovers
from tests.browser.running import START_S, Server, serve
from tests.ports import free_port
from tests.quote_verifier.world import platform

pytestmark = [pytest.mark.release, pytest.mark.slow]
SOURCES = Path(__file__).resolve().parents[2] / "quote_verifier" / "src"
WHO = {"name": "Ada", "email": "ada@example.org", "password": "a long password 1"}
MARK = "a-word-that-nobody-else-writes-4711"


def owner(*arguments: str) -> subprocess.Popen[str]:
    """`quote-verifier unlock` with these arguments."""
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    command = [sys.executable, "-m", "quote_verifier", "unlock", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment | {"PYTHONPATH": str(SOURCES)},
        preexec_fn=leftovers.end_with_parent,
    )


def told(*arguments: str, seconds: float = 120) -> tuple[int, str]:
    process = owner(*arguments)
    said, _ = process.communicate(timeout=seconds)
    return process.returncode, said


def health(url: str) -> tuple[int, str]:
    with suppress(requests.RequestException):
        answer = requests.get(f"{url}/health", timeout=5)
        return answer.status_code, answer.text
    return 0, ""


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + START_S
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


@contextmanager
def launched(release: Path, server: Server, public: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """The release with encrypted data, once it answers, locked; stopped as a person would at the end."""
    quiet = {name: value for name, value in os.environ.items() if "SSL" not in name and "proxy" not in name.lower()}
    settings = {"TDX": "simulated", "LLM": "embedded", "PORT": server.url.rpartition(":")[2], "DATA_KEY": "unlock"}
    environment = quiet | settings | {"DATA_DIR": str(server.data), "DATA_OWNER": public}
    with open(server.data.with_suffix(".log"), "ab") as output:
        process = subprocess.Popen(
            [release / "open-webui-tdx", *command],
            env=environment,
            stdout=output,
            stderr=output,
            preexec_fn=leftovers.end_with_parent,
        )
    try:
        until(
            lambda: process.poll() is not None or "locked" in health(server.url)[1], "it does not say that it is locked"
        )
        assert process.poll() is None, server.data.with_suffix(".log").read_text()[-2000:]
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def evidence(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{server.url}/api/v1/tee/quote", timeout=60).json()
    return found


def references(server: Server, folder: Path) -> str:
    """Reference values of this very launch: its log, as the evidence has it."""
    log = evidence(server)["event_log"].splitlines()
    events = [line for line in log if line.startswith("open-webui-tdx ") and not re.match(r"\S+ (site|launch) ", line)]
    path = folder / "held.json"
    path.write_text(json.dumps({"v": 2, "name": "test", "events": events, "platforms": [platform()]}))
    return str(path)


def readable(server: Server) -> list[Path]:
    """Files below DATA_DIR that hold the words, without looking into what is mounted."""
    found = []
    for folder, folders, names in os.walk(server.data):
        if Path(folder) == server.data:
            folders[:] = [name for name in folders if name != "open"]
        for path in (Path(folder) / name for name in names):
            if path.is_file() and MARK.encode() in path.read_bytes():
                found.append(path)
    return found


@pytest.mark.attack
def test_a_chat_survives_a_kill_and_nobody_else_reads_it(release: Path, tmp_path: Path) -> None:
    server = Server(f"http://127.0.0.1:{free_port()}", tmp_path / "data")
    server.data.mkdir()
    key = str(tmp_path / "data.key")
    public = told("--new-key", key)[1].splitlines()[0].removeprefix("DATA_OWNER=")
    with launched(release, server, public) as process:
        nothing_runs_and_nobody_else_opens(server)
        held = references(server, tmp_path)
        usual = (
            server.url,
            "--release",
            held,
            "--key",
            key,
            "--cache",
            str(tmp_path / "cache"),
            "--accept",
            "simulated",
        )
        assert told(*usual)[0] == 5, "there is nothing yet, and nothing is made unasked"
        code, said = told(*usual, "--create")
        assert (code, "for time number 1" in said) == (0, True), said
        until(lambda: health(server.url)[0] == 200, "it does not serve")
        token = requests.post(f"{server.url}/api/v1/auths/signup", json=WHO, timeout=60).json()["token"]
        chat = write(server, token)
        assert readable(server) == []
        assert evidence(server)["runtime_data"]["data"] == {"state": "encrypted", "owner": public, "generation": 1}
        (second,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[:1]
        os.kill(int(second), signal.SIGKILL)
        process.wait(60)
    assert readable(server) == []
    watching = owner(*usual, "--watch")
    try:
        with launched(release, server, public):
            until(lambda: health(server.url)[0] == 200, "the watch does not open it")
            signed_in = requests.post(f"{server.url}/api/v1/auths/signin", json=WHO, timeout=60).json()["token"]
            kept = requests.get(f"{server.url}/api/v1/chats/{chat}", headers=bearer(signed_in), timeout=60).text
            assert MARK in kept
            assert requests.get(f"{server.url}/api/v1/chats/", headers=bearer(token), timeout=60).ok, (
                "who was in still is"
            )
            assert evidence(server)["runtime_data"]["data"]["generation"] == 2
    finally:
        watching.terminate()
        watching.communicate()
    assert mounts.kinds(server.data / "open") == [] and list((server.data / "open").iterdir()) == []
    assert readable(server) == []


def nothing_runs_and_nobody_else_opens(server: Server) -> None:
    assert health(server.url)[0] == 503
    page = requests.get(server.url, headers={"Accept": "text/html"}, timeout=10)
    assert page.status_code == 503 and "<h1>Locked</h1>" in page.text
    assert requests.get(f"{server.url}/api/config", timeout=10).status_code == 503
    assert not list(server.data.rglob("web.sock")), "Open WebUI does not run"
    bound = evidence(server)["runtime_data"]
    stranger = Ed25519PrivateKey.generate()
    asking = Asking(from_base64url(bound["unlock"], "the key"), stranger, bytes(32), Action.CREATE)
    refused = requests.post(f"{server.url}/api/v1/tee/unlock", data=asking.message, timeout=10)
    assert refused.status_code == 403 and "not signed by the owner" in refused.text
    assert evidence(server)["runtime_data"]["unlock"] == bound["unlock"]
    assert not (server.data / "encrypted").exists()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def write(server: Server, token: str) -> str:
    """A chat with the words in it; its id."""
    content = {"chat": {"title": MARK, "messages": [{"role": "user", "content": f"Remember {MARK}."}]}}
    answer = requests.post(f"{server.url}/api/v1/chats/new", json=content, headers=bearer(token), timeout=60)
    return str(answer.json()["id"])


def test_plain_data_is_taken_over_and_gets_another_key(release: Path, tmp_path: Path) -> None:
    plain, key = tmp_path / "data", str(tmp_path / "data.key")
    with serve(release / "open-webui-tdx", plain) as before:
        token = requests.post(f"{before.url}/api/v1/auths/signup", json=WHO, timeout=60).json()["token"]
        chat = write(before, token)
    server = Server(f"http://127.0.0.1:{free_port()}", plain)
    assert readable(server)
    rebooted = {"PATH": os.environ["PATH"], "DATA_DIR": str(plain)}  # that launch had other settings
    subprocess.run([release / "open-webui-tdx", "reboot-simulator"], env=rebooted, check=True, capture_output=True)
    public = told("--new-key", key)[1].splitlines()[0].removeprefix("DATA_OWNER=")
    with launched(release, server, public, "encrypt-data") as process:
        held = ("--release", references(server, tmp_path), "--key", key, "--cache", str(tmp_path / "cache"))
        usual = (server.url, *held, "--accept", "simulated")
        code, said = told(*usual, "--create")
        assert code == 0, said
        assert process.wait(60) == 0
    assert readable(server) == [] and not (plain / "webui").exists() and not (plain / "secret_key").exists()
    for more in (["--rotate-key", "--full"], ["--rotate-key"], []):
        with launched(release, server, public):
            code, said = told(*usual, *more)
            assert code == 0, said
            until(lambda: health(server.url)[0] == 200, "it does not serve")
            kept = requests.get(f"{server.url}/api/v1/chats/{chat}", headers=bearer(token), timeout=60)
            assert MARK in kept.text, "who was in still is, and what they wrote is there"
    assert readable(server) == []
