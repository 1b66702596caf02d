"""Reference values name what a quote of the trusted machine shows of its platform."""

from __future__ import annotations

from launcher.measure.reference import PLATFORM, measurements
from quote_generator.formats import parse_quote
from simulator.quotes import make_quote

SERVICE_TD = b"\x38" * 48


def test_a_platform() -> None:
    for version in (4, 5):
        found = measurements(parse_quote(make_quote(version=version)).fields())
        assert set(found) == {*PLATFORM, "root"}
        assert found["root"] == "unmeasured", "only the build of a measured image may say more"


def test_the_service_td_where_one_is_bound() -> None:
    fields = parse_quote(make_quote(version=5, mr_service_td=SERVICE_TD)).fields()
    named = measurements(fields)
    assert named["mr_service_td"] == SERVICE_TD.hex()
    assert set(named) == {*PLATFORM, "mr_service_td", "root"}
