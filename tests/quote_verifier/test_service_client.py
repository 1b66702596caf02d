"""Asking the stand-ins: both services, both Trustee generations, and every way in which they misbehave."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from quote_verifier.bundle import bundle_from
from quote_verifier.errors import UsageError
from quote_verifier.fetch import Fetcher
from quote_verifier.quote import parse_quote
from quote_verifier.service_client import ask, choose, load_keys
from quote_verifier.tokens import Service, keys_from
from quote_verifier.verdict import Check

from quote_verifier import Options, verify
from tests.standins import FAULTS, StandIn
from tests.standins.tokens import private_key, public_jwk

from .world import NOW, Td, within

BUNDLE = bundle_from(Td().bundle())
QUOTE = parse_quote(bytes.fromhex(BUNDLE.evidence["quote"]))


def judge(standin: StandIn, pinned: bool, deadline: float = 5) -> Check:
    keys = keys_from(standin.keys) if pinned else ()
    service, token = ask(Service(standin.service, standin.url, keys), BUNDLE, QUOTE, Fetcher(deadline_s=deadline))
    bundle = replace(BUNDLE, tokens=(token,) if token else ())
    return verify(bundle, now=NOW, options=Options(services=(service,))).check("service.token")


@pytest.mark.parametrize(
    ("name", "shape", "pinned"),
    [
        ("alibaba", "new", True),
        ("alibaba", "new", False),
        ("trustee", "new", True),
        ("trustee", "new", False),
        ("trustee", "old", True),
    ],
)
def test_good(name: str, shape: str, pinned: bool) -> None:
    with StandIn(name, shape=shape, now=NOW) as standin:
        check = judge(standin, pinned)
        assert check.status == "pass", check.detail
        request = standin.requests[-1]
        assert request["policy_ids"] == []
        assert ("verification_requests" in request) == (name == "trustee" and shape == "new")


def test_old_trustee_serves_no_keys() -> None:
    with StandIn("trustee", shape="old", now=NOW) as standin:
        check = judge(standin, pinned=False)
        assert check.status == "fail"
        assert "HTTP 404" in check.detail


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alibaba", "trustee"])
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_misbehaviour(name: str, fault: str) -> None:
    alibaba_only = {"wrong-kid", "other-audience", "other-issuer", "debug", "debug-null"}
    trustee_only = {"warning", "contraindicated", "two-cpus", "null-report-data"}
    if fault in (alibaba_only if name == "trustee" else trustee_only):
        expected = "pass"  # does not exist in that service's tokens
    elif fault == "warning":
        expected = "warn"
    else:
        expected = "fail"
    with StandIn(name, fault=fault, now=NOW) as standin, within(10):
        if fault == "wrong-kid" and name == "trustee":
            expected = "pass" if judge(standin, True).status == "pass" else "fail"
        check = judge(standin, pinned=fault != "no-jwks", deadline=1.5)
        assert check.status == expected, check.detail


def test_the_trustee_checks_runtime_data_itself() -> None:
    """Another document than the quote is bound to: the service refuses, and so does the verdict."""
    evidence = dict(BUNDLE.evidence, runtime_data={"v": 2, "nonces": {"root": "other", "size": 1}})
    with StandIn("trustee", now=NOW) as standin:
        service = Service("trustee", standin.url, keys_from(standin.keys))
        asked, token = ask(service, replace(BUNDLE, evidence=evidence), QUOTE, Fetcher())
        assert token is None
        assert "HTTP 500" in str(asked.problem)


def test_choose(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(json.dumps(public_jwk("trustee")))
    assert choose("trustee", "https://trustee.example/", key).url == "https://trustee.example"
    assert choose("alibaba", None, None).url == "https://attest.cn-beijing.aliyuncs.com"
    for name, url, reason in (
        ("google", None, "alibaba or trustee"),
        ("trustee", None, "needs --service-url"),
        ("trustee", "http://trustee.example", "plain http"),
        ("trustee", "trustee.example", "not an http"),
    ):
        with pytest.raises(UsageError, match=reason):
            choose(name, url, key)


def test_key_files(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for name in ("alibaba", "trustee"):
        path.write_bytes(private_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        (jwk,) = load_keys(path)
        assert {"n", "x"} & set(jwk)
    path.write_text(json.dumps({"keys": [public_jwk("alibaba")]}))
    assert len(load_keys(path)) == 1
    for text in ("", "{", "[]", '{"keys":[]}', "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        path.write_text(text)
        with pytest.raises(UsageError):
            load_keys(path)
    with pytest.raises(UsageError, match="cannot be read"):
        load_keys(tmp_path / "missing")
