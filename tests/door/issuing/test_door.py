"""The door itself with TLS=acme: what its two ports answer, and what a start finds of the one before."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from door import tls
from door.challenges import PREFIX
from door.keeping import CERTIFICATE
from tests.door.conftest import Running, World, keep_file
from tests.door.issuing.conftest import NAME
from tests.door.issuing.pebble import Pebble

pytestmark = pytest.mark.release
ORIGIN = f"https://{NAME}"


class Acme:
    """Starts doors on one port for plain http and one keep."""

    def __init__(self, world: World, pebble: Pebble) -> None:
        self.world, self.pebble = world, pebble
        self.keep = keep_file(acme_authorities=pebble.ca_file.read_text())

    def start(self, **more: Any) -> Running:
        with socket.socket() as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            plain.bind(("127.0.0.1", self.pebble.http_port))
            acme = {"directory": self.pebble.directory, "contact": "somebody@chat.example"}
            return self.world.start(
                tls="acme", names=[NAME], origin=ORIGIN, acme=acme, keep=self.keep, http=plain, **more
            )

    def kept(self, name: str) -> str:
        lines = os.pread(self.keep, 1 << 20, 0).decode().splitlines()
        found: dict[str, str] = {each["name"]: each["value"] for each in map(json.loads, lines)}
        return found.get(name, "")

    def until_kept(self, door: Running) -> str:
        end = time.monotonic() + 60
        while not self.kept(CERTIFICATE):
            assert door.door.poll() is None and time.monotonic() < end, door.log.read_text()
            time.sleep(0.05)
        return self.kept(CERTIFICATE)

    def plain(self, method: str, path: str) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self.pebble.http_port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.getheader("Location")


@pytest.fixture
def acme(tmp_path: Path, pebble: Pebble, packages: Path, release_python: str) -> Iterator[Acme]:
    world = World(tmp_path, release_python, packages)
    made = Acme(world, pebble)
    yield made
    world.end()
    os.close(made.keep)


def shown(door: Running, root: str = "") -> x509.Certificate:
    context = ssl.create_default_context(cadata=root or None)
    if not root:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", door.port), 10)
    with context.wrap_socket(raw, server_hostname=NAME) as connection:
        return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")


def test_it_serves_at_once_and_shows_the_cas_certificate_when_there_is_one(acme: Acme) -> None:
    door = acme.start()
    key = tls.spki_sha256(shown(door))
    acme.until_kept(door)
    assert tls.spki_sha256(shown(door, acme.pebble.root())) == key  # the key that was bound before
    answer, _ = door.ask("/", Host=NAME)
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert acme.plain("GET", "/c/1?a=b") == (308, f"{ORIGIN}/c/1?a=b")
    assert acme.plain("POST", "/api/v1/auths/signin") == (403, None)
    for path in (f"{PREFIX}theirs", "/.well-known/pki-validation/file.txt"):  # a CA asks either port
        assert acme.plain("GET", path) == (404, None)
        assert door.ask(path)[0].status == 404
    assert "valid until" in door.log.read_text()


def test_a_door_that_was_killed_shows_what_it_had_with_the_ca_gone(acme: Acme) -> None:
    first = acme.start()
    acme.until_kept(first)
    root, serial, account = acme.pebble.root(), shown(first).serial_number, acme.kept("acme-account")
    first.door.kill()
    first.door.wait()
    acme.pebble.kill()
    second = acme.start()
    assert shown(second, root).serial_number == serial
    assert acme.kept("acme-account") == account


def test_a_door_stops_while_it_waits_for_the_ca(acme: Acme) -> None:
    """Nothing of an order that is under way keeps a stop waiting: the launcher would kill it after seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        acme.pebble.kill()
        acme.pebble.port = int(silent.getsockname()[1])  # takes connections and never says anything
        door = acme.start()
        with silent.accept()[0]:
            door.door.terminate()
            assert door.door.wait(20) in (0, -15)


def test_an_order_that_fails_is_said_to_the_launcher(acme: Acme) -> None:
    acme.pebble.kill()
    launcher, doors = socket.socketpair()
    with launcher, doors:
        door = acme.start(talk=doors.fileno())
        launcher.settimeout(30)
        said = json.loads(launcher.recv(10_000))
    assert said["wrong"] and said["text"].startswith(f"No new certificate for {NAME}: the CA cannot be reached")
    assert said["text"] in door.log.read_text()
