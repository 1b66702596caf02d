"""An ACME server that says what it should not, or refuses: one sentence each, and the certificate in use stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.door.authorities import TestAuthority, draw
from tests.door.issuing.conftest import NAME, Door, Start
from tests.door.issuing.meddler import Meddler, Reply, Rule
from tests.door.issuing.pebble import Pebble
from tests.ports import free_port

pytestmark = pytest.mark.release
ORDER, ACCOUNT, CERTIFICATE = "/order-plz", "/sign-me-up", "/certZ"


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    made = Pebble(tmp_path_factory.mktemp("acme") / "pebble", free_port())
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def meddler(pebble: Pebble) -> Iterator[Meddler]:
    made = Meddler(pebble)
    yield made
    made.close()


@pytest.fixture(scope="module")
def door(pebble: Pebble, meddler: Meddler, start: Start, tmp_path_factory: pytest.TempPathFactory) -> Door:
    """Has no certificate yet, and asks again at once whatever it is told; nothing that is refused is kept."""
    meddler.rules["/dir"] = Reply(503)
    folder = tmp_path_factory.mktemp("state") / "door"
    return start(pebble, folder, directory=meddler.directory, impatient=True, request_s=1.0)


def directory(**changes: Any) -> Rule:
    def change(reply: Reply) -> Reply:
        body = json.dumps({**json.loads(reply.body), **changes}).encode()
        return Reply(reply.status, body, reply.headers)

    return change


def problem(code: str, detail: str = "no", status: int = 400, **headers: str) -> Rule:
    def change(reply: Reply) -> Reply:
        body = json.dumps({"type": f"urn:ietf:params:acme:error:{code}", "detail": detail}).encode()
        kept = {"Replay-Nonce": reply.headers.get("Replay-Nonce", "")}
        return Reply(status, body, {**kept, **{name.replace("_", "-"): value for name, value in headers.items()}})

    return change


def dated(reply: Reply) -> Reply:
    return Reply(reply.status, reply.body, {**reply.headers, "Date": formatdate(0, usegmt=True)})


NO_ACME = "what answers there does not speak ACME ("
CASES: dict[str, tuple[str, Rule, str]] = {
    "no JSON": ("/dir", Reply(200, b"<html>hello</html>"), NO_ACME),
    "a list": ("/dir", Reply(200, b"[]"), NO_ACME),
    "nothing": ("/dir", Reply(200, b""), NO_ACME),
    "an empty directory": ("/dir", Reply(200, b"{}"), NO_ACME),
    "numbers for addresses": ("/dir", directory(newNonce=5, newAccount=6), NO_ACME),
    "a JSON of many levels": ("/dir", Reply(200, b"[" * 100_000), NO_ACME),
    "control characters": ("/dir", Reply(200, b'{"newNonce": "\\u001b[2J\\n"}'), NO_ACME),
    "10 MB": ("/dir", Reply(200, b" " * 10_000_000), "its answer is larger than 262144 bytes"),
    "another encoding": ("/dir", Reply(200, b"x", {"Content-Encoding": "gzip"}), "an encoding that was not asked for"),
    "a redirect": (
        "/dir",
        Reply(302, b"", {"Location": "http://evil.example/"}),
        "it redirects to http://evil.example",
    ),
    "addresses without TLS": ("/dir", directory(newNonce="http://127.0.0.1:9/"), "an address that is not https"),
    "drips": ("/dir", Reply(200, b"{" + b" " * 60, drip=True), "was not complete within 1 s"),
    "it hangs up": ("/dir", Reply(0), "the CA cannot be reached"),
    "it hangs up early": ("/dir", Reply(200, b"{", {"Content-Length": "9"}), "the CA cannot be reached"),
    "it is being repaired": ("/dir", Reply(503, b"later"), "the CA answers HTTP 503 [0 s]. If it lasts"),
    "its clock says 1970": ("/dir", dated, "and the CA's 1970-01-01 00:00 UTC [0 s]. Set the clock of this machine"),
    "accounts made elsewhere": ("/dir", directory(meta={"externalAccountRequired": True}), "Name another one with"),
    "the contact": (ACCOUNT, problem("invalidContact"), "ACME_CONTACT must be a mail address that this CA takes"),
    "the rate": (ORDER, problem("rateLimited", "too many", 429, Retry_After="86400"), "(rateLimited): too many [86400"),
    "the rate, oddly": (ORDER, problem("rateLimited", "x", 429, Retry_After="soon"), "(rateLimited): x [3600 s]"),
    "the name": (ORDER, problem("rejectedIdentifier"), "ORIGIN must name a host that this CA gives certificates for"),
    "CAA": (ORDER, problem("caa"), "CAA records must allow this CA and, if they name one, the account https://"),
    "a fault of its own": (ORDER, problem("serverInternal", status=500), "The fault is the CA's; it is asked again"),
    "an unknown refusal": (ORDER, problem("x\u001b[2J" * 99, "\u0007" * 999), "the CA refused ("),
    "an order that is none": (ORDER, Reply(201, b"{}", {"Replay-Nonce": "AAAA"}), NO_ACME),
    "no nonce": (ORDER, Reply(201, b"{}"), NO_ACME),
    "no certificate": (CERTIFICATE, Reply(200, b"<html>", {"Replay-Nonce": "AAAA"}), "no certificate in PEM form"),
    "another key's": (
        CERTIFICATE,
        Reply(200, TestAuthority().leaf(draw().public_key(), NAME), {"Replay-Nonce": "AAAA"}),
        "The certificate is for another key than the one drawn here",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_has_a_sentence_and_the_certificate_in_use_stays(meddler: Meddler, door: Door, case: str) -> None:
    path, rule, said = CASES[case]
    with door.connect() as connection:
        shown = connection.getpeercert(binary_form=True)
    before = len(door.log)
    meddler.rules = {path: rule}
    line = door.until(said, before)
    meddler.rules = {"/dir": Reply(503)}
    assert line.startswith(f"No new certificate for {NAME}: ")
    assert line.isprintable()
    assert len(line) < 1200
    with door.connect() as connection:
        assert connection.getpeercert(binary_form=True) == shown
    assert door.process.poll() is None


def test_after_all_that_a_certificate_is_issued(meddler: Meddler, door: Door, pebble: Pebble, tmp_path: Path) -> None:
    meddler.rules = {}
    door.until(f"A certificate for {NAME} is in use")
    door.connect(pebble.root()).close()
