"""The bundle's own shape: malformed ones never get further than quote.format."""

import json
from typing import Any

import pytest
from quote_verifier.errors import Malformed
from quote_verifier.live import as_document

from quote_verifier import load_bundle, verify

from .world import NOW, Td

GOOD = Td().bundle(service_tokens=[{"service": "alibaba", "url": "https://a", "token": "t"}])


def test_round_trip() -> None:
    bundle = load_bundle(json.dumps(GOOD))
    assert as_document(bundle) == GOOD
    assert load_bundle(json.dumps(as_document(bundle))) == bundle


@pytest.mark.parametrize(
    "change",
    [
        {"v": True},
        {"v": 1.0},
        {"time": None},
        {"time": "2025-07-01"},
        {"time": "2025-07-01T12:00:00+02:00"},
        {"time": "2025-02-30T12:00:00Z"},
        {"nonce": 1},
        {"evidence": []},
        {"connected": []},
        {"connected": {}},
        {"connected": {"origin": "https://a/"}},
        {"connected": {"origin": "https://a", "tls_spki_sha256": "00"}},
        {"connected": {"origin": "https://a", "surprise": 1}},
        {"service_tokens": {}},
        {"service_tokens": [{}] * 17},
        {"service_tokens": [{"service": "a", "url": "b"}]},
        {"service_tokens": [1]},
    ],
)
def test_malformed(change: dict[str, Any]) -> None:
    text = json.dumps(GOOD | change)
    with pytest.raises(Malformed):
        load_bundle(text)
    verdict = verify(text, now=NOW)
    assert verdict.overall == "not-genuine"
    assert verdict.check("quote.format").status == "fail"
    assert verdict.check("service.token").status == "skipped"
