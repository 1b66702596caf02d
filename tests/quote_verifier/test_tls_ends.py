"""Where does TLS end? Through a proxy that ends it, and reads every word, and without one."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from quote_verifier.assets import FRONTEND
from quote_verifier.request import Request, judge
from quote_verifier.verdict import Verdict

from simulator.serving import Answering, HttpServing

from .world import RELEASE, Certificate, Site, Td, make_certificate, references

NAME = "chat.example.org"


class Ending(HttpServing):
    """Has a certificate for the service's name and a key of its own, and passes everything on to the service."""

    def __init__(self, port: int, certificate: Certificate) -> None:
        """`port`: where the service is, on this machine."""
        self.read: list[bytes] = []
        ending = self

        class Handler(Answering):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                ending.read.append(body)
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                behind = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
                behind.request(self.command, self.path, body)
                answer = behind.getresponse()
                self.answer(answer.status, answer.read())
                behind.close()

            do_POST = do_GET

        super().__init__(0, Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self._server.server_address[1]}"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's name leads to this machine."""
    real = socket.getaddrinfo

    def known(host: str, *more: Any, **others: Any) -> Any:
        return real("127.0.0.1" if host == NAME else host, *more, **others)

    monkeypatch.setattr(socket, "getaddrinfo", known)


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, NAME)


@pytest.fixture
def service(own: Certificate) -> Iterator[Site]:
    with Site(Td(), own) as running:
        bind(running, running.url, own)
        yield running


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def bind(service: Site, origin: str, certificate: Certificate, key: str = "drawn") -> None:
    """What the attester binds: the origin that people use, and the key of the door."""
    service.td.bound |= {"origin": origin, "tls": {"spki_sha256": certificate.spki, "key": key}}


def audit(url: str, certificate: Certificate, folder: Path) -> Verdict:
    held = folder / "references.json"
    held.write_text(json.dumps(references()))
    return judge(Request(url=url, release=[held], ca_file=certificate.path, cache=folder / "cache"))


def test_directly_the_key_is_said_to_be_the_tds(service: Site, own: Certificate, tmp_path: Path) -> None:
    verdict = audit(service.url, own, tmp_path)
    channel = verdict.check("binding.channel")
    assert (channel.status, channel.detail) == ("pass", f"{service.url}, and its TLS key is the TD's, drawn in it")
    assert verdict.overall == "simulated"  # and nothing else


def test_a_given_key_is_said_to_be_one(service: Site, own: Certificate, tmp_path: Path) -> None:
    bind(service, service.url, own, "given")
    channel = audit(service.url, own, tmp_path).check("binding.channel")
    assert channel.status == "warn"
    assert "somebody else may hold it" in channel.detail


class Choosing:
    """Passes connections on as they are, the first `good` ones to the service and all others to who ends their TLS."""

    def __init__(self, service: int, proxy: int, good: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://{NAME}:{self._listener.getsockname()[1]}"
        self._ports = [service] * good
        self._proxy = proxy
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._ports.pop() if self._ports else self._proxy))
                for ends in ((client, far), (far, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Choosing:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("good", [1, 2])
def test_a_key_that_changes_between_two_connections_is_seen(
    service: Site, own: Certificate, tmp_path: Path, good: int
) -> None:
    """The evidence comes over the TD's own connection; the collateral, or else a page, over somebody else's."""
    (tmp_path / "theirs").mkdir()
    theirs = make_certificate(tmp_path / "theirs", NAME, "another CA")
    page = b"<!doctype html>"
    service.files["/"] = page
    files = [{"path": f"{FRONTEND}index.html", "sha384": hashlib.sha384(page).hexdigest(), "size": len(page)}]
    manifest, held, both = tmp_path / "release.json", tmp_path / "held.json", tmp_path / "both.pem"
    manifest.write_text(json.dumps({"v": 1, "files": files}))
    digest = hashlib.sha384(manifest.read_bytes()).hexdigest()
    service.td.events = [line.replace(RELEASE, digest) for line in service.td.events]
    service.td.bound["release"] = digest
    held.write_text(json.dumps(references(service.td.events)))
    both.write_text(own.path.read_text() + theirs.path.read_text())
    with (
        Ending(port_of(service.url), theirs) as proxy,
        Choosing(port_of(service.url), port_of(proxy.url), good) as both_ways,
    ):
        bind(service, both_ways.url, own)
        request = Request(
            url=both_ways.url,
            release=[held],
            ca_file=both,
            cache=tmp_path / "cache",
            check_assets=True,
            manifest=manifest,
        )
        verdict = judge(request)
    channel, assets = verdict.check("binding.channel"), verdict.check("assets.match")
    if good == 1:
        assert channel.status == "fail" and f"{theirs.spki} was seen, {own.spki} is bound" in channel.detail
    else:
        assert channel.status == "pass"
        assert (
            assets.status == "fail" and "ended with another TLS key" in assets.detail and theirs.spki in assets.detail
        )
    assert verdict.overall == ("not-genuine" if good == 1 else "not-acceptable")


@pytest.mark.attack
def test_through_a_proxy_it_is_said_not_to_be(service: Site, own: Certificate, tmp_path: Path) -> None:
    """Its certificate is good and its evidence genuine, fresh and for the very origin: only the key tells."""
    (tmp_path / "theirs").mkdir()
    theirs = make_certificate(tmp_path / "theirs", NAME)
    with Ending(port_of(service.url), theirs) as proxy:
        bind(service, proxy.url, own)
        verdict = audit(proxy.url, theirs, tmp_path)
        context = ssl.create_default_context(cafile=str(theirs.path))
        person = http.client.HTTPSConnection(NAME, port_of(proxy.url), timeout=10, context=context)
        person.request("POST", "/api/chat/completions", b"a private word")
        person.getresponse().read()
        person.close()
        assert b"a private word" in proxy.read  # which is what the key is about
    channel = verdict.check("binding.channel")
    assert channel.status == "fail"
    assert f"its TLS key is not the TD's: {theirs.spki} was seen, {own.spki} is bound" in channel.detail
    assert verdict.overall == "not-genuine"
    assert verdict.exit_code == 4
    assert {each.id for each in verdict.checks if each.status == "fail"} == {"binding.channel", "tee.real"}
