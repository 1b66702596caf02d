"""The image boots: what is measured was predicted, it serves evidence for that, and it goes down cleanly."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.image.built import Built
from tests.image.conftest import INJECTED
from tests.image.machine import Machine
from tests.image.owner import FAILED, READY, Owner

pytestmark = pytest.mark.image
_EVENT = re.compile(r"image: event ([0-3]) (0x[0-9a-f]+) ([0-9a-f]{96})$", re.MULTILINE)


@pytest.fixture(scope="module")
def console(serving: tuple[Owner, Machine]) -> str:
    """The console when the service answers, locked."""
    shown = serving[1].wait_for(READY, FAILED)
    assert READY in shown, shown[-3000:]
    return shown


def logged(console: str, register: int) -> list[tuple[str, str]]:
    """What the machine's own TPM log says of a register: types and digests, in order."""
    return [(kind, digest) for number, kind, digest in _EVENT.findall(console) if int(number) == register]


@pytest.mark.parametrize("name", ["rtmr_1", "rtmr_2"])
def test_each_event_is_the_predicted_one(built: Built, console: str, name: str) -> None:
    expected = [(item["type"], item["sha384"]) for item in built.predicted["events"][name]]
    assert logged(console, int(name[-1])) == expected


def test_no_credential_of_the_hosts_is_obeyed(console: str) -> None:
    assert "Reached target sysinit.target" in console
    assert INJECTED not in console


def test_the_verdict_is_simulated_and_every_other_check_passes(serving: tuple[Owner, Machine], console: str) -> None:
    """MRTD and RTMR 0 are taken from one look; RTMR 1 to 3 are the build's. Locked, and when people are served."""
    owner, machine = serving
    known = owner.references(machine)
    document = json.loads(known.read_text())
    assert set(document["platforms"][0]["boot_events"]) == {"rtmr_0", "rtmr_1", "rtmr_2"}  # the log of its TPM replays
    assert_all_but_real(owner.verify("--release", str(known)))
    code, said = owner.unlock(known, "--create")
    assert code == 0, said
    owner.wait_until_healthy()
    assert_all_but_real(owner.verify("--release", str(known)))


def assert_all_but_real(answer: tuple[int, dict[str, Any]]) -> None:
    code, verdict = answer
    statuses = {check["id"]: (check["status"], check["detail"]) for check in verdict["checks"]}
    assert statuses["platform.match"][0] == "pass", statuses["platform.match"]
    assert "they cover every program" in statuses["platform.match"][1]
    assert statuses["data.protected"][0] == "pass", statuses["data.protected"]
    wrong = {name: value for name, value in statuses.items() if value[0] not in ("pass", "skipped")}
    assert set(wrong) == {"tee.real"}, wrong
    assert [code, verdict["overall"]] == [6, "simulated"]


def test_it_goes_down_when_its_power_button_is_pressed(serving: tuple[Owner, Machine], console: str) -> None:
    serving[1].press_power()
    shown = serving[1].ends()
    assert "Stopped open-webui-tdx.se" in shown
    assert "reboot: Power down" in shown
