"""Data that is there already: taken over into the encrypted folder, under another key, and opened by a Trustee."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import requests
from quote_verifier.unlock import keyfile

from tests.browser.running import Server, serve
from tests.ports import free_port
from tests.release.unlocking import (
    MARK,
    WHO,
    bearer,
    evidence,
    health,
    launched,
    new_key,
    readable,
    references,
    told,
    until,
    write,
)
from tests.standins.key_broker import KeyBroker, ServingBroker, measured

pytestmark = [pytest.mark.release, pytest.mark.slow]


def test_plain_data_is_taken_over_and_gets_another_key(release: Path, tmp_path: Path) -> None:
    plain, key = tmp_path / "data", str(tmp_path / "data.key")
    with serve(release / "open-webui-tdx", plain) as before:
        token = requests.post(f"{before.url}/api/v1/auths/signup", json=WHO, timeout=60).json()["token"]
        chat = write(before, token, MARK)
    server = Server(f"http://127.0.0.1:{free_port()}", plain)
    assert readable(server)
    rebooted = {"PATH": os.environ["PATH"], "DATA_DIR": str(plain)}  # that launch had other settings
    subprocess.run([release / "open-webui-tdx", "reboot-simulator"], env=rebooted, check=True, capture_output=True)
    public = new_key(key)
    with launched(release, server, public, "encrypt-data") as process:
        held = ("--release", references(server, tmp_path), "--key", key, "--cache", str(tmp_path / "cache"))
        usual = (server.url, *held, "--accept", "simulated")
        code, said = told(*usual, "--create")
        assert code == 0, said
        assert process.wait(60) == 0
    assert readable(server) == [] and not (plain / "webui").exists() and not (plain / "secret_key").exists()
    for more in (["--rotate-key", "--full"], []):  # without --full: tests/launcher/test_unlocking.py, test_rotating.py
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
    public = new_key(key)
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
