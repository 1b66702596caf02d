"""The door as a Trustee's client, against a stand-in that asks for what the real one asks for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwcrypto import jwe, jwk

from data_unlock.grant import Grant
from door import bounded
from door.key_broker import BrokerTrouble, KeyBroker, Place
from door.key_of_launch import LaunchKey, SealedError
from quote_generator.key_broker import report_data
from simulator.quotes import make_quote
from simulator.serving import Answering, HttpServing
from tests.ports import free_port
from tests.quote_verifier.world import make_certificate
from tests.standins import key_broker as standin
from tests.standins.key_broker import ServingBroker

OWNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = OWNER.public_key().public_bytes_raw()
RESOURCE = "default/open-webui/data-key"
GRANT = Grant(bytes(range(7, 39)), 3)


def quote(nonce: str, x: str, y: str) -> bytes:
    """As the attester makes it."""
    return make_quote(report_data({"nonce": nonce, "x": x, "y": y}))


def kept(**changes: Any) -> standin.KeyBroker:
    return standin.KeyBroker(**{"resources": {RESOURCE: GRANT.encode(OWNER, RESOURCE)}} | changes)


@pytest.fixture
def broker() -> Iterator[ServingBroker]:
    with ServingBroker(kept()) as serving:
        yield serving


def asking(url: str, **changes: Any) -> KeyBroker:
    return replace(KeyBroker(Place(url, RESOURCE), PUBLIC, quote), **changes)


def trouble(asked: KeyBroker) -> BrokerTrouble:
    with pytest.raises(BrokerTrouble) as caught:
        asked.ask()
    return caught.value


def test_it_gets_the_owners_grant(broker: ServingBroker) -> None:
    assert asking(broker.url).ask() == GRANT
    assert broker.broker.asked == [
        ("POST", "/kbs/v0/auth"),
        ("POST", "/kbs/v0/attest"),
        ("GET", f"/kbs/v0/resource/{RESOURCE}"),
    ]
    (evidence,) = broker.broker.evidence
    assert set(evidence) == {"runtime-data", "tee-evidence"}
    assert evidence["tee-evidence"]["primary_evidence"]["cc_eventlog"] is None


def test_each_attempt_has_a_key_of_its_own(broker: ServingBroker) -> None:
    for _ in range(2):
        asking(broker.url).ask()
    keys = [each["runtime-data"]["tee-pubkey"]["x"] for each in broker.broker.evidence]
    assert len(set(keys)) == 2


def test_a_session_that_ended_meanwhile_is_begun_anew(broker: ServingBroker) -> None:
    asked_first: list[str] = []
    resource = broker.broker.resource

    def late(path: str, name: str) -> dict[str, str]:
        if not asked_first:
            asked_first.append(name)
            broker.broker.sessions[name].ends = 0
        return resource(path, name)

    broker.broker.resource = late  # type: ignore[method-assign]
    assert asking(broker.url).ask() == GRANT
    assert [path for _, path in broker.broker.asked].count("/kbs/v0/auth") == 2


def test_one_that_forgets_every_session_is_not_asked_without_end(broker: ServingBroker) -> None:
    def forget(path: str, name: str) -> dict[str, str]:
        raise standin.Refused("TokenNotFound", "Attestation Token not found")

    broker.broker.resource = forget  # type: ignore[method-assign]
    assert "forgets the session" in trouble(asking(broker.url)).why
    assert len(broker.broker.asked) == 9


@pytest.mark.parametrize(
    ("changed", "why", "said", "kind"),
    [
        (
            {"policy": lambda claims, path: False},
            "policy does not release the key",
            "Access denied by policy",
            "denied",
        ),
        ({"version": "0.5.0"}, "another version of the protocol than 0.4.0", "expect =0.5.0", "understood"),
        ({"resources": {}}, "no resource of this name", "Plugin internal error", "nothing"),
        ({"resources": {RESOURCE: b"not a grant"}}, "opens nothing: a grant has 137 bytes", "", "useless"),
        ({"resources": {RESOURCE: GRANT.data_key}}, "opens nothing: a grant has 137 bytes", "", "useless"),
    ],
    ids=["policy", "version", "resource", "garbage", "bare-key"],
)
def test_what_it_says_when_there_is_no_grant(changed: dict[str, Any], why: str, said: str, kind: str) -> None:
    with ServingBroker(kept(**changed)) as serving:
        found = trouble(asking(serving.url))
    assert why in found.why and said in str(found) and found.kind == kind


def test_evidence_that_is_not_accepted(broker: ServingBroker) -> None:
    simulated = asking(broker.url, quote=lambda nonce, x, y: make_quote(bytes(64)))
    assert "does not accept this launch's evidence" in trouble(simulated).why
    forged = asking(broker.url, quote=lambda nonce, x, y: quote(nonce, x, y)[:-1])
    found = trouble(forged)
    assert "does not accept this launch's evidence" in found.why and found.kind == "denied"


def test_nobody_is_there() -> None:
    found = trouble(asking(f"http://127.0.0.1:{free_port()}"))
    assert found.why == "The Trustee cannot be reached." and "refused" in str(found).lower()
    assert found.kind == "unreachable"


def test_by_tls_with_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    with ServingBroker(kept(), tls=made.path) as serving:
        place = Place(f"https://localhost:{serving.port}", RESOURCE)
        assert asking("", place=replace(place, ca_file=str(made.path))).ask() == GRANT
        asked = len(serving.broker.asked)
        other = make_certificate(tmp_path, "localhost", signer="somebody else")
        for ca_file in ("", str(other.path)):
            found = trouble(asking("", place=replace(place, ca_file=ca_file)))
            assert "no certificate that is trusted here" in found.why
        assert len(serving.broker.asked) == asked, "nothing was sent"


@pytest.mark.attack
def test_a_broker_of_the_hosts_own_opens_nothing() -> None:
    host = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with ServingBroker(kept(resources={RESOURCE: GRANT.encode(host, RESOURCE)})) as serving:
        assert "not signed by the owner" in trouble(asking(serving.url)).why
    with ServingBroker(kept(resources={RESOURCE: GRANT.encode(OWNER, "default/open-webui/other")})) as serving:
        assert "for another resource" in trouble(asking(serving.url)).why


@pytest.mark.attack
def test_the_quote_is_bound_to_the_challenge_and_the_key(broker: ServingBroker) -> None:
    """Whoever stands between exchanges the key, or sends evidence of an earlier handshake: the broker refuses."""
    given = LaunchKey()
    challenge, name = broker.broker.auth(json.dumps({"version": "0.4.0", "tee": "tdx", "extra-params": {}}).encode())
    good = quote(challenge["nonce"], given.x, given.y)

    def attest(nonce: str, key: LaunchKey, session: str) -> None:
        primary = {"cc_eventlog": None, "quote": base64.b64encode(good).decode()}
        evidence = {"primary_evidence": primary, "additional_evidence": ""}
        body = {"runtime-data": {"nonce": nonce, "tee-pubkey": key.public}, "tee-evidence": evidence}
        broker.broker.attest(json.dumps(body).encode(), session)

    with pytest.raises(standin.Refused, match="Attest failed"):
        attest(challenge["nonce"], LaunchKey(), name)
    _, later = broker.broker.auth(json.dumps({"version": "0.4.0", "tee": "tdx", "extra-params": {}}).encode())
    with pytest.raises(standin.Refused, match="Attest failed"):
        attest(challenge["nonce"], given, later)
    attest(challenge["nonce"], given, name)


@dataclass
class Odd:
    """Answers each path with what was given for it: status, body, headers."""

    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)


class Oddly(HttpServing):
    def __init__(self, odd: Odd) -> None:
        class Handler(Answering):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def do_GET(self) -> None:
                status, body, headers = odd.answers[self.path.split("/")[3]]
                self.answer(status, body, headers)

        super().__init__(0, Handler)


CHALLENGE = (200, b'{"nonce": "bm9uY2U=", "extra-params": ""}', {"Set-Cookie": "kbs-session-id=abc; Expires=x"})
NUMBER = b'{"protected": 1, "encrypted_key": "", "iv": "", "ciphertext": "", "tag": ""}'
TOKEN: tuple[int, bytes, dict[str, str]] = (200, b'{"token": "x"}', {})


@pytest.mark.parametrize(
    ("auth", "attest", "resource", "why"),
    [
        ((200, b"<html>", {}), TOKEN, TOKEN, "is no Trustee"),
        ((200, b"[]", {}), TOKEN, TOKEN, "is no Trustee"),
        ((200, b'{"nonce": 1}', {}), TOKEN, TOKEN, "is no Trustee"),
        ((200, b'{"nonce": "x", "extra-params": ""}', {}), TOKEN, TOKEN, "is no Trustee"),
        ((200, CHALLENGE[1], {"Set-Cookie": "kbs-session-id=a b"}), TOKEN, TOKEN, "is no Trustee"),
        ((200, CHALLENGE[1], {"Set-Cookie": 'kbs-session-id="a;b"'}), TOKEN, TOKEN, "is no Trustee"),
        (
            (200, b'{"nonce": "x", "extra-params": {"selected-hash-algorithm": "sm3"}}', CHALLENGE[2]),
            TOKEN,
            TOKEN,
            "is no Trustee",
        ),
        ((302, b"", {"Location": "https://elsewhere.example"}), TOKEN, TOKEN, "is no Trustee"),
        ((200, b"[" * 100_000, {}), TOKEN, TOKEN, "is no Trustee"),
        ((200, b"x" * (bounded.MAX_ANSWER + 1), {}), TOKEN, TOKEN, "is no Trustee"),
        ((500, b'{"type": "a/b", "detail": "c"}', {}), TOKEN, TOKEN, "The Trustee refuses"),
        (CHALLENGE, (200, b"{}", {}), TOKEN, "is no Trustee"),
        (CHALLENGE, TOKEN, (200, b"{}", {}), "does not open: the answer is no JWE"),
        (CHALLENGE, TOKEN, (200, NUMBER, {}), "does not open"),
        (CHALLENGE, TOKEN, (403, b'{"type": "x", "detail": "no"}', {}), "policy does not release"),
        (CHALLENGE, TOKEN, (404, b'{"type": "x/PluginNotFound", "detail": ""}', {}), "serves no resources"),
    ],
)  # fmt: skip
def test_whatever_answers_becomes_one_sentence(auth: Any, attest: Any, resource: Any, why: str) -> None:
    with Oddly(Odd({"auth": auth, "attest": attest, "resource": resource})) as serving:
        found = trouble(asking(serving.url))
    assert why in found.why and str(found).endswith(".") and "\n" not in str(found)


@pytest.mark.attack
def test_words_of_the_broker_stand_in_no_sentence_that_everybody_sees() -> None:
    evil = json.dumps({"type": "x/<script>", "detail": "<script>\n\x1b[2J"}).encode()
    with Oddly(Odd({"auth": (401, evil, {})})) as serving:
        found = trouble(asking(serving.url))
    assert "script" not in found.why and "\x1b" not in str(found) and "\n" not in str(found)


def sealed(header: dict[str, str], public: dict[str, str]) -> dict[str, str]:
    made = jwe.JWE(b"words", json.dumps(header), recipient=jwk.JWK(**public))
    names = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
    return dict(zip(names, made.serialize(compact=True).split("."), strict=True))


def test_what_another_library_seals_opens() -> None:
    key = LaunchKey()
    assert key.open(sealed({"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}, key.public)) == b"words"


@pytest.mark.attack
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda made: made | {"tag": made["iv"]}, "other sizes"),
        (lambda made: made | {"ciphertext": made["ciphertext"][:-2] + "AA"}, "another key than this launch's, or was"),
        (lambda made: made | {"encrypted_key": made["encrypted_key"][:-2] + "AA"}, "another key than this launch's"),
        (lambda made: made | {"aad": "eA"}, "protected header alone"),
        (lambda made: made | {"header": {}}, "protected header alone"),
        (lambda made: made | {"protected": "e30"}, "in another way"),
        (lambda made: made | {"iv": "!!"}, "no JWE of this form"),
        (lambda made: [], "protected header alone"),
    ],
)
def test_what_was_changed_does_not_open(change: Callable[[dict[str, str]], Any], why: str) -> None:
    key = LaunchKey()
    with pytest.raises(SealedError, match=why):
        key.open(change(sealed({"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}, key.public)))


@pytest.mark.attack
def test_other_ways_of_sealing_and_other_keys_do_not_open() -> None:
    key = LaunchKey()
    for header in (
        {"alg": "ECDH-ES", "enc": "A256GCM"},
        {"alg": "ECDH-ES+A128KW", "enc": "A256GCM"},
        {"alg": "ECDH-ES+A256KW", "enc": "A128CBC-HS256"},
        {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "zip": "DEF"},
    ):
        with pytest.raises(SealedError, match="in another way"):
            key.open(sealed(header, key.public))
    with pytest.raises(SealedError, match="another key than this launch's"):
        key.open(sealed({"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}, LaunchKey().public))
    other = jwk.JWK.generate(kty="EC", crv="P-384").export_public(as_dict=True)
    with pytest.raises(SealedError, match="another curve"):
        key.open(sealed({"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}, other))


def test_a_point_that_is_not_on_the_curve_is_refused() -> None:
    key, point = LaunchKey(), ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    made = sealed({"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}, key.public)
    header = json.loads(base64.urlsafe_b64decode(made["protected"] + "=="))
    header["epk"]["x"] = base64.urlsafe_b64encode((point.x ^ 1).to_bytes(32)).decode().rstrip("=")
    made["protected"] = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    with pytest.raises(SealedError):
        key.open(made)
