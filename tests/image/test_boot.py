"""The image boots: what is measured was predicted, it serves evidence for that, and it goes down cleanly."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.config import root
from scripts.image import inside, platform
from tests.image.conftest import INJECTED, Built
from tests.image.machine import Machine

pytestmark = pytest.mark.image
_EVENT = re.compile(r"image: event ([0-3]) (0x[0-9a-f]+) ([0-9a-f]{96})$", re.MULTILINE)
# systemd shortens names on the console.
_READY = "Started open-webui-tdx.se"
_FAILED = "Failed to start open-webui-tdx"


@pytest.fixture(scope="module")
def console(serving: tuple[Machine, Path]) -> str:
    """The console when the service answers."""
    shown = serving[0].wait_for(_READY, _FAILED)
    assert _READY in shown, shown[-3000:]
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


def verify(serving: tuple[Machine, Path], folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """quote-verifier's exit code and verdict on the machine."""
    machine = serving[0]
    certificate = folder / "certificate.pem"
    certificate.write_text(ssl.get_server_certificate(("127.0.0.1", machine.port), timeout=120))
    command = [
        sys.executable,
        "-m",
        "quote_verifier",
        f"https://127.0.0.1:{machine.port}",
        "--json",
        "--timeout",
        "300",
    ]
    command += ["--ca-file", str(certificate), "--cache", str(folder / "cache"), *options]
    environment = {**os.environ, "PYTHONPATH": str(root() / "quote_verifier/src"), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_verdict_is_simulated_and_every_other_check_passes(
    built: Built, serving: tuple[Machine, Path], console: str, tmp_path: Path
) -> None:
    """MRTD and RTMR 0 are taken from one look; RTMR 1 to 3 are the build's."""
    bundle, known = tmp_path / "bundle.json", tmp_path / "known.json"
    verify(serving, tmp_path, "--save", str(bundle))
    document = inside.references(built.cfg, built.run, serving[1])
    document = platform.references_from(built.cfg, bundle, document)
    assert set(document["platforms"][0]["boot_events"]) == {"rtmr_0", "rtmr_1", "rtmr_2"}  # the log of its TPM replays
    platform.write(known, document)
    code, verdict = verify(serving, tmp_path, "--release", str(known))
    statuses = {check["id"]: (check["status"], check["detail"]) for check in verdict["checks"]}
    assert statuses["platform.match"][0] == "pass", statuses["platform.match"]
    assert "they cover every program" in statuses["platform.match"][1]
    wrong = {name: value for name, value in statuses.items() if value[0] not in ("pass", "skipped")}
    assert set(wrong) == {"tee.real"}, wrong
    assert [code, verdict["overall"]] == [6, "simulated"]


def test_it_goes_down_when_its_power_button_is_pressed(serving: tuple[Machine, Path], console: str) -> None:
    serving[0].press_power()
    shown = serving[0].ends()
    assert "Stopped open-webui-tdx.se" in shown
    assert "reboot: Power down" in shown
