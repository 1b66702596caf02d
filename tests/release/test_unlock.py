"""A release whose data is encrypted, as its owner uses it: locked, opened, killed in the middle, opened again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_unlock.ends import Asking
from data_unlock.message import Action
from launcher.serve import mounts
from tests.browser.running import Server
from tests.ports import free_port
from tests.release.unlocking import (
    MARK,
    WHO,
    bearer,
    evidence,
    health,
    launched,
    left_elsewhere,
    new_key,
    owner,
    readable,
    references,
    told,
    unlock_key,
    until,
    write,
)

pytestmark = [pytest.mark.release, pytest.mark.slow]


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


@pytest.mark.attack
def test_a_chat_survives_a_kill_and_nobody_else_reads_it(release: Path, tmp_path: Path) -> None:
    server = Server(f"http://127.0.0.1:{free_port()}", tmp_path / "data")
    server.data.mkdir()
    key, began = str(tmp_path / "data.key"), time.time()
    public = new_key(key)
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
    asking = Asking(unlock_key(server), stranger, bytes(32), Action.CREATE)
    refused = requests.post(f"{server.url}/api/v1/tee/unlock", data=asking.message, timeout=10)
    assert refused.status_code == 403 and "not signed by the owner" in refused.text
    assert evidence(server)["runtime_data"]["unlock"] == bound["unlock"]
    assert not (server.data / "encrypted").exists()
