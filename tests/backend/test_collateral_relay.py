"""The relay against a PCCS that speaks Intel's version 4 API, judged by a production quote verifier."""

from __future__ import annotations

import asyncio
import json
import time

import dcap_qvl  # type: ignore[import-untyped]
import pytest
from attestation.collateral import CollateralError, Pccs, fetch, platform_of

from simulator import pccs as simulated
from simulator.pki import root_der
from simulator.quotes import make_quote


def relayed(server: simulated.Pccs, quote: bytes) -> dict[str, str]:
    return asyncio.run(fetch(Pccs(server.url), platform_of(quote)))


def test_a_verifier_accepts_what_is_relayed() -> None:
    quote = make_quote()
    with simulated.Pccs() as server:
        collateral = relayed(server, quote)
    parsed = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(collateral))
    verified = dcap_qvl.verify_with_root_ca(quote, parsed, root_der(), int(time.time()))
    assert verified.status == "UpToDate"


def test_the_signed_texts_are_not_touched() -> None:
    with simulated.Pccs() as server:
        collateral, own = relayed(server, make_quote()), server.collateral()
    assert {name: collateral[name] for name in own} == own


def test_unknown_platform_is_one_sentence() -> None:
    with simulated.Pccs() as server, pytest.raises(CollateralError, match="answered 404"):
        asyncio.run(fetch(Pccs(server.url), type(platform_of(make_quote()))("FFFFFFFFFFFF", "platform")))


def test_no_pccs_is_one_sentence() -> None:
    with pytest.raises(CollateralError, match="cannot be reached"):
        asyncio.run(fetch(Pccs("http://127.0.0.1:9"), platform_of(make_quote())))
