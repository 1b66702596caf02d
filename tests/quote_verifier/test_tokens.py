"""Service tokens: each fault of the stand-ins is refused for its own reason. (Whole verdicts: tests/vectors.)"""

import pytest
from quote_verifier.quote import parse_quote
from quote_verifier.tokens import Refused, Service, keys_from, verify_token

from simulator.quotes import make_quote
from tests.standins.tokens import jwks, make_token, public_jwk

from .world import NOW

RAW = make_quote(b"x" * 64)
QUOTE = parse_quote(RAW)
URL = {"alibaba": "https://attest.example", "trustee": "https://trustee.example"}


def check(name: str, fault: str | None = None, *, shape: str = "new", keys: object = None, now: int = NOW) -> str:
    token = make_token(name, RAW, origin=URL[name], now=NOW, shape=shape, fault=fault)
    return verify_token(Service(name, URL[name], keys_from(keys or jwks(name))), token, QUOTE, now)


def test_good() -> None:
    assert check("alibaba") == "affirming"
    assert check("trustee") == check("trustee", shape="old") == "affirming"
    assert check("trustee", "warning") == "warning"


REASONS = {
    "wrong-signature": "signature is wrong",
    "alg-none": "algorithm is 'none'",
    "hs256": "algorithm is 'HS256'",
    "expired": "expired 3600 s ago",
    "not-yet-valid": "not yet valid",
    "no-expiry": "no exp",
    "other-nonce": "report_data is abab",
    "other-measurements": "mr_td is cdcd",
    "duplicate-key": "'exp' appears twice",
    "byte-order-mark": "not JSON",
    "other-key": "signature is wrong",
}
ALIBABA = {
    "wrong-kid": "key id",
    "other-audience": "aud is",
    "other-issuer": "iss is",
    "debug": "debuggable",
    "no-claims": "does not state report_data",
}
TRUSTEE = {"contraindicated": "appraisal is 'contraindicated'", "two-cpus": "exactly one", "no-claims": "no TDX quote"}


@pytest.mark.parametrize(
    ("name", "fault", "reason"),
    [("alibaba", fault, reason) for fault, reason in (REASONS | ALIBABA).items()]
    + [("trustee", fault, reason) for fault, reason in (REASONS | TRUSTEE).items()],
)
def test_fault(name: str, fault: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        check(name, fault)


def test_keys() -> None:
    with pytest.raises(Refused, match="none of the keys"):
        check("alibaba", keys=jwks("trustee"))
    with pytest.raises(Refused, match=r"none of the keys|signature"):
        check("trustee", keys=jwks("alibaba"))
    with pytest.raises(Refused, match="signature"):
        check("trustee", keys=public_jwk("other-ec"))
    without_kid = {key: value for key, value in public_jwk("alibaba").items() if key != "kid"}
    assert check("alibaba", keys=without_kid) == "affirming"
    assert check("trustee", keys={"keys": [public_jwk("other-ec"), public_jwk("trustee")]}) == "affirming"


def test_weak_key_is_no_key() -> None:
    weak = public_jwk("alibaba") | {"n": "AQAB"}
    with pytest.raises(Refused, match="none of the keys"):
        check("alibaba", keys=weak)


def test_time_window() -> None:
    assert check("trustee", now=NOW + 300) == "affirming"
    with pytest.raises(Refused, match="expired"):
        check("trustee", now=NOW + 301)
    assert check("alibaba", now=NOW - 60) == "affirming"
    with pytest.raises(Refused, match="not yet valid"):
        check("alibaba", now=NOW - 61)


def test_v5_quotes_are_compared_in_full() -> None:
    raw = make_quote(b"x" * 64, version=5)
    token = make_token("alibaba", raw, origin=URL["alibaba"], now=NOW)
    service = Service("alibaba", URL["alibaba"], keys_from(jwks("alibaba")))
    assert verify_token(service, token, parse_quote(raw), NOW) == "affirming"
    other = parse_quote(make_quote(b"x" * 64, version=5, mr_config_id=b"\x01" * 48))
    with pytest.raises(Refused, match="mr_config_id"):
        verify_token(service, token, other, NOW)


@pytest.mark.parametrize("token", ["", "a", "a.b", "..", "a.b.c", "e30.e30.", "x" * 300_000])
def test_garbage(token: str) -> None:
    for name in URL:
        with pytest.raises(Refused):
            verify_token(Service(name, URL[name], keys_from(jwks(name))), token, QUOTE, NOW)
