"""Collateral from a PCCS and from the relay, cached on disk, never older than seen."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from quote_verifier.collateral_cache import CollateralCache
from quote_verifier.collateral_source import pccs, relay
from quote_verifier.errors import Malformed, Unreachable, UsageError
from quote_verifier.fetch import Fetcher
from quote_verifier.quote import Quote, parse_quote

from quote_verifier import Seen, verify_bare
from simulator.collateral import collateral
from simulator.pccs import Pccs
from simulator.quotes import make_quote

from .world import NOW, Site, Td, answering

RAW = make_quote(b"x" * 64)
QUOTE = parse_quote(RAW)


@pytest.fixture
def server() -> Iterator[Pccs]:
    with Pccs(now=datetime.fromtimestamp(NOW, UTC)) as running:
        yield running


@pytest.mark.parametrize("suffix", ["", "/", "/sgx/certification/v4/", "/tdx/certification/v4"])
def test_pccs(server: Pccs, suffix: str) -> None:
    fetched = pccs(Fetcher(), server.url + suffix)(QUOTE)
    assert fetched == collateral(NOW)
    assert verify_bare(RAW, fetched, now=NOW).overall == "simulated"


def test_pccs_that_answers_nonsense() -> None:
    with Site(Td()) as site:
        with pytest.raises(Unreachable, match="HTTP 404"):
            pccs(Fetcher(), site.url)(QUOTE)
        site.broken["/sgx/certification/v4/pckcrl"] = answering(b"crl")
        with pytest.raises(Unreachable, match="without the header sgx-pck-crl-issuer-chain"):
            pccs(Fetcher(), site.url)(QUOTE)
        site.broken["/sgx/certification/v4/pckcrl"] = answering(b"crl", headers={"SGX-PCK-CRL-Issuer-Chain": "x"})
        for body in (b"", b"[]", b'{"tcbInfo":1}', b'{"tcbInfo":{},"tcbInfo":{},"signature":"00"}'):
            site.broken["/tdx/certification/v4/tcb"] = answering(body, headers={"TCB-Info-Issuer-Chain": "x"})
            site.broken["/tdx/certification/v4/qe/identity"] = answering(
                body, headers={"SGX-Enclave-Identity-Issuer-Chain": "x"}
            )
            with pytest.raises(Malformed):
                pccs(Fetcher(), site.url)(QUOTE)


def test_the_exact_signed_text_is_taken() -> None:
    """White space, escapes and key order inside the signed member survive; a decoy before it does not matter."""
    with Site(Td()) as site:
        body = b'{"note": {"a": 1}, "tcbInfo": {"b" : "\\u0041",  "a":1.50 }, "signature": "00"}'
        site.broken["/sgx/certification/v4/pckcrl"] = answering(b"crl", headers={"SGX-PCK-CRL-Issuer-Chain": "x"})
        site.broken["/tdx/certification/v4/tcb"] = answering(body, headers={"TCB-Info-Issuer-Chain": "x"})
        qe = b'{"enclaveIdentity":{},"signature":"00"}'
        site.broken["/tdx/certification/v4/qe/identity"] = answering(
            qe, headers={"SGX-Enclave-Identity-Issuer-Chain": "a%20b"}
        )
        site.broken["/sgx/certification/v4/rootcacrl"] = answering(b"\x30\x00")
        fetched = pccs(Fetcher(), site.url)(QUOTE)
        assert fetched["tcb_info"] == '{"b" : "\\u0041",  "a":1.50 }'
        assert fetched["qe_identity_issuer_chain"] == "a b"
        assert fetched["root_ca_crl"] == "3000"


def test_relay() -> None:
    with Site(Td()) as site:
        assert verify_bare(RAW, relay(Fetcher(), site.url + "/")(QUOTE)).overall == "simulated"


def test_cache_offline(tmp_path: Path) -> None:
    calls: list[Quote] = []

    def source(quote: Quote) -> dict[str, str]:
        calls.append(quote)
        return collateral()

    cache = CollateralCache(tmp_path)
    first = cache.get(QUOTE, source)
    cache.keep(QUOTE, first)
    assert cache.get(QUOTE, source) == first
    assert CollateralCache(tmp_path, offline=True).get(QUOTE, source) == first
    assert len(calls) == 1
    with pytest.raises(Unreachable, match="--offline"):
        CollateralCache(tmp_path / "other", offline=True).get(QUOTE, source)


def test_stale_cache_is_used_only_if_the_source_is_gone(tmp_path: Path) -> None:
    def gone(quote: Quote) -> dict[str, str]:
        raise Unreachable("gone")

    cache = CollateralCache(tmp_path)
    with pytest.raises(Unreachable):
        cache.get(QUOTE, gone)
    old = collateral()
    cache.keep(QUOTE, old)
    (path,) = tmp_path.glob("collateral-*")
    path.write_text(json.dumps({"fetched": int(time.time()) - 7200, "collateral": old}))
    assert cache.get(QUOTE, gone) == old
    newer = collateral(time.time() + 100)
    assert cache.get(QUOTE, lambda quote: newer) == newer
    path.write_text("{")
    assert cache.get(QUOTE, lambda quote: newer) == newer


def test_expired_cache_is_fetched_again(tmp_path: Path) -> None:
    cache = CollateralCache(tmp_path)
    cache.keep(QUOTE, collateral(NOW))
    newer = collateral()
    assert cache.get(QUOTE, lambda quote: newer) == newer


def test_memory_of_the_newest(tmp_path: Path) -> None:
    cache = CollateralCache(tmp_path)
    assert cache.seen(QUOTE, "intel") == Seen()
    cache.remember(QUOTE, "intel", Seen(17, 3, 1))
    cache.remember(QUOTE, "intel", Seen(16, 2, 5))
    assert cache.seen(QUOTE, "intel") == Seen(17, 3, 5)
    assert cache.seen(QUOTE, "simulator") == Seen()
    (path,) = tmp_path.glob("seen-*")
    path.write_text('{"tcb_evaluation_data_number": "x"}')
    with pytest.raises(UsageError, match="damaged"):
        cache.seen(QUOTE, "intel")


def test_unwritable_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        CollateralCache(tmp_path / "file" / "below").keep(QUOTE, collateral())
