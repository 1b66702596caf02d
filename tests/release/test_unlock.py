"""A release whose data is encrypted, as its owner uses it: locked, opened, killed in the middle, opened again."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from quote_verifier.encoding import from_base64url
from quote_verifier.unlock import keyfile

from data_unlock.ends import Asking
from data_unlock.message import Action
from launcher.serve import mounts
from tests import leftovers
from tests.browser.running import START_S, Server, serve
from tests.ports import free_port
from tests.quote_verifier.world import platform
from tests.standins.key_broker import KeyBroker, ServingBroker, measured

pytestmark = [pytest.mark.release, pytest.mark.slow]
SOURCES = Path(__file__).resolve().parents[2] / "quote_verifier" / "src"
WHO = {"name": "Ada", "email": "ada@example.org", "password": "a long password 1"}
MARK = f"a-word-that-nobody-else-writes-{uuid4().hex}"
#: Where words could still lie besides the data folder.
ELSEWHERE = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/var/log"))


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
def launched(
    release: Path, server: Server, public: str, *command: str, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The release with encrypted data, once it answers, locked; stopped as a person would at the end."""
    quiet = {name: value for name, value in os.environ.items() if "SSL" not in name and "proxy" not in name.lower()}
    settings = {"TDX": "simulated", "LLM": "embedded", "PORT": server.url.rpartition(":")[2], "DATA_KEY": "unlock"}
    environment = quiet | settings | {"DATA_DIR": str(server.data), "DATA_OWNER": public} | more
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


def left_elsewhere(since: float) -> list[Path]:
    """Files that hold the words in temporary folders and logs, and what of the memory was swapped out."""
    swaps = [line.split()[0] for line in Path("/proc/swaps").read_text().splitlines()[1:]]
    found = [path for path in map(Path, swaps) if holds(path)]
    for place in ELSEWHERE:
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if not os.path.ismount(Path(folder, name))]
            for path in (Path(folder, name) for name in names):
                with suppress(OSError):
                    recent = path.stat().st_mtime >= since and path.is_file() and not path.is_symlink()
                    found += [path] if recent and holds(path) else []
    return found


def holds(path: Path) -> bool:
    wanted, last = MARK.encode(), b""
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            if wanted in last + block:
                return True
            last = block[-len(wanted) :]
    return False


class Writing:
    """Somebody who writes one message after another; `acknowledged` are those that the service said it has."""

    def __init__(self, server: Server, token: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self._server, self._token, self._end = server, token, Event()
        self._thread = Thread(target=self._write)

    def __enter__(self) -> Writing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._end.is_set():
            with suppress(requests.RequestException, ValueError, KeyError):
                chat = write(self._server, self._token, said := f"{MARK} {uuid4().hex}")
                self.acknowledged[chat] = said


class Flood:
    """Messages that somebody forged for the key that waits, as many as get through."""

    def __init__(self, server: Server) -> None:
        bound = from_base64url(evidence(server)["runtime_data"]["unlock"], "the key")
        forged = Asking(bound, Ed25519PrivateKey.generate(), bytes(32), Action.CREATE).message
        head = f"POST /api/v1/tee/unlock HTTP/1.1\r\nHost: a\r\nContent-Length: {len(forged)}\r\n\r\n"
        self._many = (head.encode() + forged) * 100
        self._where = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        self.sent, self._end = 0, Event()
        self._threads = [Thread(target=self._send) for _ in range(4)]

    def __enter__(self) -> Flood:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for each in self._threads:
            each.join()

    def _send(self) -> None:
        while not self._end.is_set():
            with suppress(OSError), socket.create_connection(self._where, 5) as connection:
                connection.settimeout(5)
                while not self._end.is_set():
                    connection.sendall(self._many)
                    self.sent += 100
                    connection.setblocking(False)
                    with suppress(BlockingIOError):
                        while connection.recv(1 << 16):
                            pass
                    connection.settimeout(5)


@pytest.mark.attack
def test_a_chat_survives_a_kill_and_nobody_else_reads_it(release: Path, tmp_path: Path) -> None:
    server = Server(f"http://127.0.0.1:{free_port()}", tmp_path / "data")
    server.data.mkdir()
    key, began = str(tmp_path / "data.key"), time.time()
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
        with Flood(server) as flood:
            until(lambda: flood.sent >= 1000, "the flood does not begin")
            code, said = told(*usual, "--create")
        assert (code, "for time number 1" in said) == (0, True), said
        until(lambda: health(server.url)[0] == 200, "it does not serve")
        token = requests.post(f"{server.url}/api/v1/auths/signup", json=WHO, timeout=60).json()["token"]
        write(server, token, MARK)
        assert readable(server) == []
        assert evidence(server)["runtime_data"]["data"] == {"state": "encrypted", "owner": public, "generation": 1}
        (second,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[:1]
        with Writing(server, token) as writing:
            until(lambda: len(writing.acknowledged) >= 20, "nothing is written")
            os.kill(int(second), signal.SIGKILL)
            process.wait(60)
    assert readable(server) == [] and left_elsewhere(began) == []
    watching = owner(*usual, "--watch")
    try:
        with launched(release, server, public):
            until(lambda: health(server.url)[0] == 200, "the watch does not open it")
            signed_in = requests.post(f"{server.url}/api/v1/auths/signin", json=WHO, timeout=60).json()["token"]
            for chat, words in writing.acknowledged.items():
                kept = requests.get(f"{server.url}/api/v1/chats/{chat}", headers=bearer(signed_in), timeout=60).text
                assert words in kept, "what was acknowledged is there"
            assert requests.get(f"{server.url}/api/v1/chats/", headers=bearer(token), timeout=60).ok, (
                "who was in still is"
            )
            assert evidence(server)["runtime_data"]["data"]["generation"] == 2
    finally:
        watching.terminate()
        watching.communicate()
    assert mounts.kinds(server.data / "open") == [] and list((server.data / "open").iterdir()) == []
    assert readable(server) == [] and left_elsewhere(began) == []


def nothing_runs_and_nobody_else_opens(server: Server) -> None:
    assert health(server.url)[0] == 503
    page = requests.get(server.url, headers={"Accept": "text/html"}, timeout=10)
    assert page.status_code == 503 and "<script" in page.text, "what it shows is tests/browser/test_locked.py's"
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


def write(server: Server, token: str, words: str) -> str:
    """A chat with the words in it; its id."""
    content = {"chat": {"title": words, "messages": [{"role": "user", "content": f"Remember {words}."}]}}
    answer = requests.post(f"{server.url}/api/v1/chats/new", json=content, headers=bearer(token), timeout=60)
    answer.raise_for_status()
    return str(answer.json()["id"])


def test_plain_data_is_taken_over_and_gets_another_key(release: Path, tmp_path: Path) -> None:
    plain, key = tmp_path / "data", str(tmp_path / "data.key")
    with serve(release / "open-webui-tdx", plain) as before:
        token = requests.post(f"{before.url}/api/v1/auths/signup", json=WHO, timeout=60).json()["token"]
        chat = write(before, token, MARK)
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


@pytest.mark.attack
def test_a_trustee_opens_it_again_for_what_its_policy_knows(release: Path, tmp_path: Path) -> None:
    server = Server(f"http://127.0.0.1:{free_port()}", tmp_path / "data")
    server.data.mkdir()
    key, grant = str(tmp_path / "data.key"), tmp_path / "data.grant"
    public = told("--new-key", key)[1].splitlines()[0].removeprefix("DATA_OWNER=")
    place, known = "default/open-webui/data-key", set()
    broker = KeyBroker(policy=lambda claims, path: measured(claims)["rtmr_3"] in known)
    with ServingBroker(broker) as trustee:
        more = {"DATA_KEY": "trustee", "DATA_TRUSTEE_URL": trustee.url, "DATA_TRUSTEE_RESOURCE": place}
        with launched(release, server, public, **more):
            until(lambda: "does not release the key" in health(server.url)[1], "it does not say why it is locked")
            site = json.loads(re.search(r" site (.*)", evidence(server)["event_log"])[1])  # type: ignore[index]
            assert site["data_trustee"] == f"{trustee.url}/kbs/v0/resource/{place}"
            known.add(evidence(server)["quote_parse"]["rtmr_3"])
            until(lambda: "no resource of this name" in health(server.url)[1], "the policy lets it through")
            held = ("--release", references(server, tmp_path), "--cache", str(tmp_path / "cache"))
            code, said = told(server.url, *held, "--key", key, "--accept", "simulated", "--create")
            assert code == 0, said
            until(lambda: health(server.url)[0] == 200, "it does not serve")
            token = requests.post(f"{server.url}/api/v1/auths/signup", json=WHO, timeout=60).json()["token"]
            chat = write(server, token, MARK)
        assert told("--key", key, "--grant", str(grant), "--for", place)[0] == 0
        broker.resources[place] = grant.read_bytes()
        known.clear()
        with launched(release, server, public, **more):
            until(lambda: "does not release the key" in health(server.url)[1], "it does not say why it is locked")
            assert not list(server.data.rglob("web.sock")), "Open WebUI does not run"
            known.add(evidence(server)["quote_parse"]["rtmr_3"])
            until(lambda: health(server.url)[0] == 200, "the Trustee does not open it")
            kept = requests.get(f"{server.url}/api/v1/chats/{chat}", headers=bearer(token), timeout=60)
            assert MARK in kept.text, "who was in still is, and what they wrote is there"
            assert evidence(server)["runtime_data"]["data"] == {"state": "encrypted", "owner": public, "generation": 2}
            assert "unlock" not in evidence(server)["runtime_data"]
    assert readable(server) == []
    opened = keyfile.load(Path(key)).data_key
    files = [server.data.with_suffix(".log"), *(path for path in server.data.rglob("*") if path.is_file())]
    written = b"".join(path.read_bytes() for path in files)
    assert opened not in written and opened.hex().encode() not in written, "the key lies nowhere on the disk"
