"""The relay reads the platform out of real-shaped quotes."""

from __future__ import annotations

import pytest
from attestation.collateral import CollateralError, platform_of

from simulator import profile
from simulator.quotes import make_quote


@pytest.mark.parametrize("version", [4, 5])
def test_platform_is_read_from_the_quote(version: int) -> None:
    found = platform_of(make_quote(version=version))
    assert (found.fmspc, found.ca) == (profile.FMSPC.hex().upper(), "platform")


def test_a_cut_certificate_is_refused() -> None:
    quote = make_quote()
    with pytest.raises(CollateralError):
        platform_of(quote[: quote.index(b"-----END CERTIFICATE-----")])
