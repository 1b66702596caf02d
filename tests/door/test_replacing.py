"""TLS=files, read anew: what is shown and bound from then on, that no connection ends, and what leaves the old one."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from door import tls
from door.keeping import CHAIN, KEY

from .conftest import Running, World, keep_file

pytestmark = pytest.mark.slow  # starts processes

NAMES = ("chat.example",)


def pair(key: bytes = b"", when: datetime | None = None) -> dict[str, str]:
    """A private key, drawn unless given, and a certificate for it that begins at `when`."""
    made = tls.Certificates(key or tls.draw(), NAMES, "given")
    chain = tls._self_signed(made._key, NAMES, when or datetime.now(UTC))
    return {"key": made.key_pem.decode(), "chain": chain.decode()}


def rsa_key() -> bytes:
    return tls._private_pem(rsa.generate_private_key(65537, 2048))


def spki(given: dict[str, str]) -> str:
    return tls.spki_sha256(tls.load_key(given["key"].encode(), "the key"))


class Attester:
    """Answers each line to be bound: with `refuse`, that it does not."""

    def __init__(self) -> None:
        self.near, self._far = socket.socketpair()
        self.bound: list[dict[str, str]] = []
        self.refuse = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._far, self._far.makefile("rb") as lines:
            for line in lines:
                answer: dict[str, Any] = {"ok": True}
                if self.refuse:
                    answer = {"ok": False, "error": {"code": "bad-request", "message": "Not today."}}
                else:
                    self.bound.append(json.loads(line)["bind"]["tls"])
                self._far.sendall(json.dumps(answer).encode() + b"\n")


class Service:
    """A door that shows `first`, its attester, and the launcher's end of what they talk on."""

    def __init__(self, world: World) -> None:
        self.first, self.attester = pair(), Attester()
        self.talk, doors = socket.socketpair()
        self.talk.settimeout(20)
        keep = keep_file(**{KEY: self.first["key"], CHAIN: self.first["chain"]})
        with doors, self.attester.near as near:
            self.running: Running = world.start(tls="files", keep=keep, bind=near.fileno(), talk=doors.fileno())

    def give(self, given: dict[str, str]) -> dict[str, Any]:
        """Hand over; what the door says to that."""
        self.talk.sendall(json.dumps(given).encode() + b"\n")
        said: dict[str, Any] = json.loads(self.talk.recv(10_000))
        return said

    def shown(self, **limits: Any) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name, value in limits.items():
            setattr(context, name, value)
        with socket.create_connection(("127.0.0.1", self.running.port), 10) as raw, context.wrap_socket(raw) as made:
            return tls.spki_sha256(x509.load_der_x509_certificate(made.getpeercert(binary_form=True) or b""))

    def connect(self) -> http.client.HTTPConnection:
        made = self.running.connect()
        made.request("GET", "/favicon.png")
        assert made.getresponse().read() == b"png"
        return made


@pytest.fixture
def service(world: World) -> Iterator[Service]:
    made = Service(world)
    yield made
    made.talk.close()


def test_another_key_is_bound_and_shown_and_no_connection_ends(service: Service) -> None:
    assert service.shown() == spki(service.first)
    open_before = service.connect()
    second = pair()
    said = service.give(second)
    assert not said["wrong"] and "for another key, which every quote binds from now on, until 20" in said["text"]
    assert [each["spki_sha256"] for each in service.attester.bound] == [spki(service.first), spki(second)]
    assert service.attester.bound[1]["key"] == "given"
    assert service.shown() == spki(second)
    open_before.request("GET", "/api/x")
    assert open_before.getresponse().status == 200
    assert said["text"] in service.running.log.read_text()


def test_a_renewed_certificate_for_the_same_key_is_not_bound_again(service: Service) -> None:
    said = service.give(pair(service.first["key"].encode()))
    assert not said["wrong"] and "for the same key as before" in said["text"]
    assert len(service.attester.bound) == 1


def test_a_key_of_another_kind_leaves_nothing_of_the_one_before(service: Service) -> None:
    """A context of OpenSSL's keeps one key of each kind, and a client's preference would choose."""
    second = pair(rsa_key())
    assert not service.give(second)["wrong"]
    old_style = {"maximum_version": ssl.TLSVersion.TLSv1_2}
    assert service.shown() == service.shown(**old_style) == spki(second)
    assert not service.give(service.first)["wrong"]
    assert service.shown() == spki(service.first)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("other key", "for another key than the private key"),
        ("expired", "expired at 2025"),
        ("not yet", "valid only from"),
        ("no key", "is not a private key in PEM form"),
        ("no certificate", "holds no certificate in PEM form"),
        ("not bound", "The attester does not bind the door's tls: Not today."),
    ],
)
def test_what_does_not_fit_leaves_the_old_one(service: Service, fault: str, sentence: str) -> None:
    good, other = pair(), pair()
    now = datetime.now(UTC)
    given = {
        "other key": {**good, "chain": other["chain"]},
        "expired": pair(when=datetime(2024, 6, 1, tzinfo=UTC)),
        "not yet": pair(when=now + timedelta(days=400)),
        "no key": {**good, "key": "hello"},
        "no certificate": {**good, "chain": "hello"},
        "not bound": good,
    }[fault]
    service.attester.refuse = fault == "not bound"
    said = service.give(given)
    assert said["wrong"] and sentence in said["text"] and "the old one stays" in said["text"]
    assert service.shown() == spki(service.first) and len(service.attester.bound) == 1
    service.attester.refuse = False
    assert not service.give(good)["wrong"] and service.shown() == spki(good)
