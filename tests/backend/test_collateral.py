"""The relay's rules: where the PCCS is, what is passed on unchanged, and what is never given out."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attestation.collateral import (
    CollateralCache,
    CollateralError,
    Pccs,
    _der_hex,
    _signed_member,
    expires_at,
    find_pccs,
    platform_of,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def crl(until: datetime) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CA")])
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name)
        .last_update(NOW - timedelta(days=1))
        .next_update(until)
    )
    return made.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER).hex()


def collateral(days: dict[str, int] | None = None) -> dict[str, str]:
    until = {
        part: NOW + timedelta(days=(days or {}).get(part, 30))
        for part in ("tcb_info", "qe_identity", "pck_crl", "root_ca_crl")
    }
    return {
        "tcb_info": json.dumps({"nextUpdate": until["tcb_info"].strftime("%Y-%m-%dT%H:%M:%SZ")}),
        "qe_identity": json.dumps({"nextUpdate": until["qe_identity"].strftime("%Y-%m-%dT%H:%M:%SZ")}),
        "pck_crl": crl(until["pck_crl"]),
        "root_ca_crl": crl(until["root_ca_crl"]),
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://p.example:8081",
        "https://p.example:8081/",
        "https://p.example:8081/sgx/certification/v4/",
        "https://p.example:8081/sgx/certification/v4",
    ],
)
def test_address_with_and_without_path(url: str) -> None:
    assert find_pccs(url) == Pccs("https://p.example:8081")


@pytest.mark.parametrize("url", ["p.example", "ftp://p.example", "https://", "file:///etc/passwd"])
def test_address_must_be_http(url: str) -> None:
    with pytest.raises(CollateralError, match="not an http or https URL"):
        find_pccs(url)


def test_intels_own_configuration(tmp_path: Path) -> None:
    conf = tmp_path / "qcnl.conf"
    conf.write_text(
        '{\n  // comment\n  // "pccs_url": "https://wrong.example"\n'
        '  "pccs_url": "https://p.example/sgx/certification/v4/",\n  "use_secure_cert": false\n}\n'
    )
    assert find_pccs(None, conf) == Pccs("https://p.example", verify_tls=False)
    conf.write_text("# old form\nPCCS_URL=https://p.example/sgx/certification/v3/\nUSE_SECURE_CERT=TRUE\n")
    assert find_pccs(None, conf) == Pccs("https://p.example")
    conf.write_text("{}")
    with pytest.raises(CollateralError, match="names no pccs_url"):
        find_pccs(None, conf)
    with pytest.raises(CollateralError, match="TEE_PCCS_URL"):
        find_pccs(None, tmp_path / "absent")


def test_signed_text_is_passed_on_exactly() -> None:
    inner = '{"version": 3,\t"x":[1, 2.50], "id":"TDX"}'
    assert _signed_member(f'{{"tcbInfo" : {inner},"signature":"0A0b"}}'.encode(), "tcbInfo") == (inner, "0a0b")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"tcbInfo":{}}',
        b'{"tcbInfo":{},"signature":1}',
        b'{"tcbInfo":{},"signature":"zz"}',
        b"\xff",
    ],
)
def test_unreadable_members_are_refused(body: bytes) -> None:
    with pytest.raises(CollateralError, match="no readable tcbInfo"):
        _signed_member(body, "tcbInfo")


def test_crl_as_der_or_hex() -> None:
    text = crl(NOW)
    assert _der_hex(bytes.fromhex(text)) == _der_hex(text.upper().encode() + b"\n") == text
    with pytest.raises(CollateralError):
        _der_hex(b"<html>")


@pytest.mark.parametrize("part", ["tcb_info", "qe_identity", "pck_crl", "root_ca_crl"])
def test_first_part_to_expire_decides(part: str) -> None:
    assert expires_at(collateral({part: 3})) == NOW + timedelta(days=3)


@pytest.mark.parametrize("quote", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_quote_without_pck_certificate(quote: bytes) -> None:
    with pytest.raises(CollateralError, match="PCK certificate"):
        platform_of(quote)


class Source:
    """A PCCS that counts its requests and answers with what `give` is at that time."""

    def __init__(self) -> None:
        self.asked = 0
        self.give: dict[str, str] | None = collateral()
        self.seconds = 0.0

    async def fetch(self) -> dict[str, str]:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.give is None:
            raise CollateralError("The PCCS is down.")
        return self.give

    def cache(self) -> CollateralCache:
        return CollateralCache(
            self.fetch, clock=lambda: self.seconds, utcnow=lambda: NOW + timedelta(seconds=self.seconds)
        )


def test_many_requests_one_fetch() -> None:
    async def scenario() -> int:
        source = Source()
        cache = source.cache()
        answers = await asyncio.gather(*(cache.get() for _ in range(50)))
        assert all(answer is answers[0] for answer in answers)
        return source.asked

    assert asyncio.run(scenario()) == 1


def test_held_while_in_date_although_the_pccs_is_down_then_refused() -> None:
    async def scenario() -> None:
        source = Source()
        cache = source.cache()
        first = await cache.get()
        source.give = None
        source.seconds = 29 * 86400
        assert await cache.get() == first
        assert source.asked == 2
        source.seconds = 31 * 86400
        with pytest.raises(CollateralError, match="The PCCS is down"):
            await cache.get()

    asyncio.run(scenario())


def test_expired_collateral_is_not_given_out() -> None:
    async def scenario() -> None:
        source = Source()
        source.give = collateral({"qe_identity": -1})
        with pytest.raises(CollateralError, match="expired"):
            await source.cache().get()

    asyncio.run(scenario())


def test_a_failing_pccs_is_left_alone_for_a_while() -> None:
    async def scenario() -> None:
        source = Source()
        source.give = None
        cache = source.cache()
        for _ in range(5):
            with pytest.raises(CollateralError, match="The PCCS is down"):
                await cache.get()
        assert source.asked == 1
        source.give = collateral()
        source.seconds = 11
        assert await cache.get() == source.give

    asyncio.run(scenario())


def test_newer_collateral_replaces_the_held_one_before_it_expires() -> None:
    async def scenario() -> None:
        source = Source()
        cache = source.cache()
        await cache.get()
        source.give = collateral({"tcb_info": 60})
        source.seconds = 7 * 3600
        assert await cache.get() == source.give

    asyncio.run(scenario())
