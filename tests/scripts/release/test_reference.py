"""Reference values name what a quote of the trusted machine shows of its platform."""

from __future__ import annotations

from quote_generator.formats import parse_quote
from scripts.release.reference import PLATFORM, measurements
from simulator.quotes import make_quote

ALIBABA = bytes.fromhex("383c87d3bbb047b2d171eaca95312ede99f258088dc788f6ae2ccf8b6dd848fe8d47629e08b3f6cbd4a00dd47a5a033d")


def test_a_platform() -> None:
    for version in (4, 5):
        assert set(measurements(parse_quote(make_quote(version=version)).fields())) == set(PLATFORM)


def test_the_service_td_where_one_is_bound() -> None:
    fields = parse_quote(make_quote(version=5, mr_service_td=ALIBABA)).fields()
    named = measurements(fields)
    assert named["mr_service_td"] == ALIBABA.hex()
    assert set(named) == {*PLATFORM, "mr_service_td"}
