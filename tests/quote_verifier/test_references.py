"""Reference values are the user's own file: unusable ones are an error, never a silent skip."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quote_verifier.errors import UsageError
from quote_verifier.references import Platform, References, load_references, merge

from .world import EVENTS, platform, references

RELEASES = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "reference_releases.json").read_text())
BOOT_EVENTS = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "reference_boot_events.json").read_text())
PLATFORM = Platform({field: value for field, value in platform().items() if field != "root"}, verity=True)


def load(document: Any) -> References:
    return load_references(json.dumps(document).encode())


def test_good() -> None:
    held = load(references() | {"rtmr_3": "00" * 48})
    assert held.events == frozenset(EVENTS)
    assert held.platforms == (PLATFORM,)


def test_a_platform_measures_its_programs_only_where_it_says_so() -> None:
    stock = {field: value for field, value in platform().items() if field != "root"}
    for root in ({}, {"root": "unmeasured"}):
        (found,) = load(references() | {"platforms": [stock | root]}).platforms
        assert not found.verity


def test_members_of_a_platform_that_are_newer_are_kept_by_name() -> None:
    (found,) = load(references() | {"platforms": [platform() | {"surprise": 1}]}).platforms
    assert found.newer == ("surprise",) and "surprise" not in found.values


def test_a_platform_may_name_its_service_td() -> None:
    named = platform() | {"mr_service_td": "38" * 48}
    expected = replace(PLATFORM, values=PLATFORM.values | {"mr_service_td": "38" * 48})
    assert load(references() | {"platforms": [platform(), named]}).platforms == (PLATFORM, expected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 1}, "v is 1, this version reads 2"),
        ({"v": True}, "v is True"),
        ({"v": 2.0}, r"2\.0 is written with a fraction"),
        ({"v": "1" * 500}, r"v is '1{59}\.\.\., this"),
        ({"rtmr_3": "00" * 47}, "rtmr_3 has 47 bytes, expected 48"),
        ({"rtmr_3": 5}, "rtmr_3 is empty or not a string"),
        ({"platforms": [platform() | {"mr_td": "0x" + "ab" * 48}]}, "begins with 0x"),
        ({"surprise": 1}, "unknown member"),
        ({"events": None}, "events is missing"),
        ({"events": [""]}, "empty"),
        ({"events": ["a\nb"]}, "not one line"),
        ({"platforms": {}}, "wrong type"),
        ({"platforms": [{}]}, "lacks"),
        ({"platforms": [platform() | {"mr_td": ""}]}, "mr_td is empty"),
        ({"platforms": [platform() | {"mr_td": "ab"}]}, "expected 48"),
        ({"platforms": [platform() | {"mr_td": "AB" * 48}]}, "lower-case"),
        ({"platforms": [platform() | {"root": "hopefully"}]}, "root is 'hopefully', expected verity or unmeasured"),
        ({"platforms": [platform() | {"root": ""}]}, "root is ''"),
        ({"platforms": [platform() | {"mr_service_td": ""}]}, "mr_service_td is empty"),
        ({"platforms": [platform() | {"mr_service_td": "ab"}]}, "expected 48"),
        ({"platforms": [platform() | {"mr_service_td": "00" * 48}]}, "leave it out"),
    ],
)
def test_refuses(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load(references() | change)


@pytest.mark.parametrize("release", RELEASES["taken"])
def test_what_is_said_of_a_release_decides_nothing(release: Any) -> None:
    assert load(references() | {"release": release}) == load(references())


@pytest.mark.parametrize("release", RELEASES["refused"])
def test_what_is_said_of_a_release_is_three_texts(release: Any) -> None:
    with pytest.raises(UsageError, match="release holds something else than version, commit, upstream"):
        load(references() | {"release": release})


def test_not_json() -> None:
    with pytest.raises(UsageError, match="not JSON"):
        load_references(b"{")
    with pytest.raises(UsageError, match="not a JSON object"):
        load_references(b"[]")


def test_merge() -> None:
    both = merge([load(references(["a"])), load(references(["b"]) | {"platforms": []})])
    assert both.events == {"a", "b"}
    assert len(both.platforms) == 1
    assert merge([]) == References()


@pytest.mark.parametrize("case", BOOT_EVENTS["refused"])
def test_events_of_the_boot_are_whole_and_lead_to_the_register(case: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=re.escape(case["says"])):
        load(references() | {"platforms": [platform() | {"boot_events": case["boot_events"]}]})


def test_more_events_than_a_boot_has_are_refused() -> None:
    event = {"type": "0x4", "sha384": "00" * 48, "what": "the separator"}
    with pytest.raises(UsageError, match="boot_events are not lists of events"):
        load(references() | {"platforms": [platform() | {"boot_events": {"rtmr_0": [event] * 513}}]})
