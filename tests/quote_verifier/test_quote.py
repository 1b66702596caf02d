"""The quote's layout, checked against dcap-qvl's reading and against the simulator's plan."""

import dcap_qvl  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quote_verifier.errors import Malformed
from quote_verifier.quote import MAX_QUOTE_BYTES, parse_quote, pem_certificates

from simulator import pki
from simulator.quotes import make_quote

V4 = make_quote(b"r" * 64)
V5 = make_quote(b"r" * 64, version=5)


@pytest.mark.parametrize("raw", [V4, V5, make_quote(b"r", version=5, body="td10")])
def test_agrees_with_dcap_qvl(raw: bytes) -> None:
    ours, theirs = parse_quote(raw), dcap_qvl.parse_quote(raw)
    renamed = {f"rtmr_{index}": f"rt_mr{index}" for index in range(4)}
    for name, value in ours.body.items():
        assert bytes(getattr(theirs.report, renamed.get(name, name))) == value, name
    assert theirs.header.version == ours.version
    assert bytes(theirs.header.qe_vendor_id) == ours.vendor_id


def test_chain_and_signed_part() -> None:
    quote = parse_quote(V5)
    assert [*quote.pck_chain] == [(pki.FOLDER / f"{name}.der").read_bytes() for name in ("pck", "platform-ca", "root")]
    assert quote.signed_size == 48 + 6 + 648
    assert parse_quote(V4).signed_size == 48 + 584


@pytest.mark.parametrize("raw", [V4, V5])
def test_every_cut_is_malformed(raw: bytes) -> None:
    for end in range(len(raw)):
        with pytest.raises(Malformed):
            parse_quote(raw[:end])


def test_too_large() -> None:
    with pytest.raises(Malformed, match="at most"):
        parse_quote(V4 + bytes(MAX_QUOTE_BYTES))


@settings(max_examples=300)
@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_quote(data)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x",
        b"-----BEGIN FOO-----\nAAAA\n-----END FOO-----\n",
        b"text\n" + pki.pem_chain(pki.certificate("pck")).encode(),
        pki.pem_chain(*[pki.certificate("pck")] * 6).encode(),
        b"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----",
    ],
)
def test_pem_is_strict(text: bytes) -> None:
    with pytest.raises(Malformed):
        pem_certificates(text, "the chain")
