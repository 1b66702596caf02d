"""The release with TLS that ends in it: started by its launcher, judged from outside, directly and through a proxy."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from quote_verifier.request import Request, judge
from quote_verifier.unlock import keyfile
from quote_verifier.verdict import Verdict

from quote_verifier import cli
from tests.browser import running
from tests.door.issuing.pebble import Pebble
from tests.ports import free_port
from tests.quote_verifier.test_tls_ends import NAME, Ending
from tests.quote_verifier.world import make_certificate, platform

pytestmark = [pytest.mark.release, pytest.mark.slow]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's name leads to this machine."""
    real = socket.getaddrinfo

    def known(host: str, *more: Any, **others: Any) -> Any:
        return real("127.0.0.1" if host == NAME else host, *more, **others)

    monkeypatch.setattr(socket, "getaddrinfo", known)


@dataclass(frozen=True)
class Service:
    """A running release. `port`, `http_port`: its two ports; `log`: of its door."""

    launcher: Path
    settings: dict[str, str]
    port: int
    http_port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def certificate(self) -> str:
        """What it shows now (PEM)."""
        return ssl.get_server_certificate(("127.0.0.1", self.port))

    def plain(self, path: str) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.getheader("Location")

    def judge(self, folder: Path, believed: str, url: str = "") -> Verdict:
        """As an auditor with reference values of this launch, who believes these CAs (PEM)."""
        command = [str(self.launcher), "events", "--no-check"]
        lines = subprocess.run(command, env=os.environ | self.settings, capture_output=True, text=True, check=True)
        events = [line["event"] for line in map(json.loads, lines.stdout.splitlines()) if "event" in line]
        (folder / "held.json").write_text(
            json.dumps({"v": 2, "name": "auditor", "events": events, "platforms": [platform()]})
        )
        (folder / "believed.pem").write_text(believed)
        return judge(
            Request(
                url=url or self.url,
                release=[folder / "held.json"],
                ca_file=folder / "believed.pem",
                cache=folder / "cache",
                timeout=60,
            )
        )


@contextmanager
def serve(release: Path, folder: Path, **settings: str) -> Iterator[Service]:
    port, http_port = free_port(), int(settings.get("HTTP_PORT") or free_port())
    chosen = {
        "PORT": str(port),
        "HTTP_PORT": str(http_port),
        "ORIGIN": f"https://{NAME}:{port}",
        "DATA_DIR": str(folder / "data"),
        "TDX": "simulated",
        "LLM": "none",
        **settings,
    }
    launcher = release / "open-webui-tdx"
    with (folder / "launcher.log").open("wb") as output:
        process = subprocess.Popen(
            [launcher], env={**running._quiet(os.environ), **chosen}, stdout=output, stderr=output
        )
    service = Service(launcher, chosen, port, http_port, folder / "data" / "logs" / "door.log", process)
    try:
        end = time.monotonic() + running.START_S
        while status(port) != (503 if "DATA_KEY" in chosen else 200):  # locked, or serving
            assert process.poll() is None and time.monotonic() < end, (folder / "launcher.log").read_text()[-2000:]
            time.sleep(0.2)
        yield service
    finally:
        running._stop(process)


def status(port: int) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def until_serving(port: int) -> None:
    end = time.monotonic() + running.START_S
    while status(port) != 200:
        assert time.monotonic() < end, "it does not serve"
        time.sleep(0.2)


def failing(verdict: Verdict) -> set[str]:
    return {check.id for check in verdict.checks if check.status == "fail"}


def test_a_drawn_key_is_the_tds_and_a_proxys_is_not(release: Path, tmp_path: Path) -> None:
    with serve(release, tmp_path, TLS="self-signed", HOST="0.0.0.0") as service:
        verdict = service.judge(tmp_path, service.certificate())
        channel = verdict.check("binding.channel")
        assert (channel.status, channel.detail) == ("pass", f"{service.url}, and its TLS key is the TD's, drawn in it")
        assert failing(verdict) == {"tee.real"}
        assert service.plain("/c/1?a=b") == (308, f"{service.url}/c/1?a=b")
        theirs = make_certificate(tmp_path, NAME)
        with Ending(service.port, theirs) as proxy:
            verdict = service.judge(tmp_path, theirs.path.read_text(), proxy.url)
        channel = verdict.check("binding.channel")
        assert channel.status == "fail"
        assert channel.detail.startswith(f"its TLS key is not the TD's: {theirs.spki} was seen")
        assert verdict.exit_code == 4


def test_a_cas_certificate_is_for_the_drawn_key(release: Path, tmp_path: Path) -> None:
    """From the launch's first second on there is TLS; the CA's certificate is shown when there is one."""
    pebble = Pebble(tmp_path / "pebble", free_port())
    pebble.start()
    try:
        acme = {
            "ACME_DIRECTORY": pebble.directory,
            "ACME_CA_FILE": str(pebble.ca_file),
            "ACME_CONTACT": "a@chat.example",
        }
        with serve(release, tmp_path, TLS="acme", HTTP_PORT=str(pebble.http_port), **acme) as service:
            end = time.monotonic() + 60
            while "is in use" not in service.log.read_text():
                assert time.monotonic() < end, service.log.read_text()
                time.sleep(0.1)
            verdict = service.judge(tmp_path, pebble.root())
            assert verdict.check("binding.channel").status == "pass", verdict.check("binding.channel")
            assert failing(verdict) == {"tee.real"}
    finally:
        pebble.close()


def test_files_are_read_anew_and_the_new_key_is_bound(release: Path, tmp_path: Path) -> None:
    """`kill -HUP`, as `systemctl reload` does; what cannot be used changes nothing."""
    both, said = tmp_path / "both.pem", tmp_path / "launcher.log"  # the key and its certificate in one file

    def put(text: str) -> None:
        both.touch(0o600)
        both.write_text(text)

    def reload(service: Service, sentence: str) -> None:
        service.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while sentence not in said.read_text():
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.1)

    texts = [make_certificate(tmp_path, NAME).path.read_text() for _ in range(2)]
    put(texts[0])
    with serve(release, tmp_path, TLS="files", TLS_CERT_FILE=str(both), TLS_KEY_FILE=str(both)) as service:
        before = service.certificate()
        put("nothing")
        reload(service, "was not read anew, and the old one stays")
        assert service.certificate() == before
        put(texts[1])
        reload(service, "is in use, for another key, which every quote binds from now on")
        assert service.certificate() != before
        channel = service.judge(tmp_path, texts[1]).check("binding.channel")
        assert channel.status == "warn" and "given" in channel.detail


def issuer(pem: str) -> str:
    return x509.load_pem_x509_certificate(pem.encode()).issuer.rfc4514_string()


def unlock(service: Service, folder: Path, *more: str) -> None:
    """As the owner of its data, whom no certificate can tell anything while it is locked."""
    held = ["--release", str(folder / "held.json"), "--key", str(folder / "data.key"), "--accept", "simulated"]
    assert cli.run(["unlock", service.url, *held, "--cache", str(folder / "cache"), *more]) == 0
    until_serving(service.port)


@pytest.mark.attack
def test_a_locked_door_orders_nothing_and_shows_its_certificate_once_the_data_is_open(
    release: Path, tmp_path: Path
) -> None:
    """Key, account and certificate lie in the data: afterwards they are the ones of the boot before."""
    pebble, orders = Pebble(tmp_path / "pebble", free_port()), tmp_path / "pebble/pebble.log"
    pebble.start()
    keyfile.make(tmp_path / "data.key")
    chosen = {
        "TLS": "acme",
        "HTTP_PORT": str(pebble.http_port),
        "ACME_DIRECTORY": pebble.directory,
        "ACME_CA_FILE": str(pebble.ca_file),
        "DATA_KEY": "unlock",
        "DATA_OWNER": keyfile.load(tmp_path / "data.key").public,
    }
    shown = []
    try:
        for more in (["--create"], []):
            before = orders.read_text().count("POST /order-plz")
            with serve(release, tmp_path, **chosen) as service:
                locked = service.certificate()
                assert "Pebble" not in issuer(locked) and locked not in shown
                assert status(service.port) == 503 and service.plain("/")[0] == 308
                assert failing(service.judge(tmp_path, locked)) == {"tee.real"}, "what it is can be judged already"
                time.sleep(2)
                assert orders.read_text().count("POST /order-plz") == before, (
                    "nothing is ordered for a key of this boot"
                )
                unlock(service, tmp_path, *more)
                end = time.monotonic() + 60
                while "Pebble" not in issuer(service.certificate()):
                    assert time.monotonic() < end, service.log.read_text()
                    time.sleep(0.1)
                shown.append(service.certificate())
                channel = service.judge(tmp_path, pebble.root()).check("binding.channel")
                assert channel.status == "pass", channel
                kept = [path for path in (tmp_path / "data").rglob("*") if path.name == "door.json"]
                assert kept == [tmp_path / "data/open/door.json"]
                time.sleep(2)  # what the door keeps is copied now and then
        assert shown[0] == shown[1] and orders.read_text().count("POST /order-plz") == 1
    finally:
        pebble.close()
