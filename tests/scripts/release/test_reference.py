"""Reference values name what a quote of the trusted machine shows of its platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from launcher.measure.reference import PLATFORM, measurements
from quote_generator.formats import parse_quote
from scripts.release import reference
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


def test_a_builds_values_know_a_service_on_loopback_and_one_beyond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def events(cfg: object, settings: Mapping[str, str]) -> list[dict[str, str]]:
        chosen = "offer" if settings["HOST"] == "127.0.0.1" else "require"
        return [{"event": "release x"}, {"event": f"settings {chosen}"}, {"event": "site y"}, {"rtmr_3": chosen}]

    monkeypatch.setattr(reference, "events", events)
    monkeypatch.setattr(reference, "about", lambda cfg: {})
    reference.write_default(SimpleNamespace(release_name="r"), tmp_path / "r.json")  # type: ignore[arg-type]
    made = json.loads((tmp_path / "r.json").read_text())
    assert made["events"] == ["release x", "settings offer", "site y", "settings require"]
    assert made["rtmr_3"] == "offer"
