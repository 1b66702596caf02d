"""Reference values name what a quote of the trusted machine shows of its platform."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from quote_verifier.references import references_from

from launcher.measure import encryption
from launcher.measure.reference import PLATFORM, measurements
from quote_generator.formats import parse_quote
from quote_generator.nonces import base64url
from scripts.release import reference
from simulator import boot
from simulator.quotes import make_quote

CFG = SimpleNamespace(release_name="r", root=Path(__file__).resolve().parents[3])
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
    reference.write_default(CFG, tmp_path / "r.json")  # type: ignore[arg-type]
    made = json.loads((tmp_path / "r.json").read_text())
    assert made["events"][:4] == ["release x", "settings offer", "site y", "settings require"]
    assert made["events"][4:] == reference.encrypting(CFG) != []  # type: ignore[arg-type]
    assert made["rtmr_3"] == "offer"


def test_a_program_that_encrypts_is_known_by_its_hash_or_said_to_be_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = reference.encrypting(CFG)  # type: ignore[arg-type]
    assert {line.split(" ")[1] for line in known} == set(reference.ENCRYPTING)
    reference.say_unknown(CFG, ["open-webui-tdx release {}", *known])  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""
    other = known[0].replace('"version":"', '"version":"1')
    reference.say_unknown(CFG, [other])  # type: ignore[arg-type]
    assert other in capsys.readouterr().out


def test_debians_build_that_is_installed_here_is_the_one_that_is_known() -> None:
    """Its hash in the list is that of the package's file."""
    asked = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "gocryptfs"], capture_output=True, text=True)
    builds = json.loads((CFG.root / reference.BUILDS).read_text())["gocryptfs"]
    expected = [each for each in builds if asked.returncode == 0 and each["origin"].endswith(f", {asked.stdout}")]
    if not expected:
        pytest.skip("Debian's gocryptfs is not here in a version that is listed")
    found = encryption.measure()
    assert (found.version, found.sha384) == (expected[0]["version"], expected[0]["sha384"])


LOG = base64url(boot.log())
REGISTERS = dict(zip(("rtmr_0", "rtmr_1", "rtmr_2"), (value.hex() for value in boot.registers()), strict=False))


def test_one_look_says_which_events_extend_each_register() -> None:
    platform = measurements(parse_quote(make_quote()).fields()) | REGISTERS
    document: dict[str, Any] = {"v": 2, "name": "here", "events": ["a b {}"], "platforms": [platform]}
    reference.name_events(document, LOG)
    (found,) = references_from(document).platforms
    assert {name: len(events) for name, events in found.events.items()} == {"rtmr_0": 13, "rtmr_1": 5, "rtmr_2": 2}
    assert [event.what for event in found.events["rtmr_2"]] == ["the kernel's command line", "the initrd"]


def test_a_log_that_leads_elsewhere_names_nothing_and_a_missing_one_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"platforms": [dict.fromkeys(REGISTERS, "00" * 48)]}
    reference.name_events(document, LOG)
    assert "boot_events" not in document["platforms"][0] and not capsys.readouterr().out
    reference.name_events(document, None)
    assert "boot_events" not in document["platforms"][0]
    assert "No boot event log can be read here" in capsys.readouterr().out
