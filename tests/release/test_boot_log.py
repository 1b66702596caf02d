"""The boot's event log of a running release: served to everybody, and what a verifier makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from quote_verifier.boot_events import read
from quote_verifier.boot_log import replay
from quote_verifier.references import references_from

from scripts.release import reference
from simulator import boot
from tests.browser.running import Server, serve
from tests.ports import free_port
from tests.release.connecting import SOURCES, hold
from tests.vectors import boot_cases

pytestmark = [pytest.mark.release, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("boot-log")
    with serve(release / "open-webui-tdx", folder / "data", free_port(), LLM="none") as made:
        yield made


def test_the_log_replays_to_the_quotes_registers_and_is_for_one_asker_alone(server: Server) -> None:
    answer = requests.get(f"{server.url}/api/v1/tee/boot-log", timeout=30)
    assert answer.status_code == 200 and "no-store" in answer.headers["Cache-Control"]
    assert replay(read(answer.json()["boot_log"])) == boot.registers()


def test_one_look_at_a_machine_gives_reference_values_that_name_its_events(release: Path, tmp_path: Path) -> None:
    command = [str(release / "open-webui-tdx"), "reference", "--boot-log"]
    environment = os.environ | {
        "DATA_DIR": str(tmp_path / "data"),
        "TDX": "simulated",
        "LLM": "none",
        "PYTHON": sys.executable,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    document = json.loads(done.stdout)
    reference.name_events(document, document.pop("boot_log"))
    (platform,) = references_from(document).platforms
    assert set(platform.events) == {"rtmr_0", "rtmr_1", "rtmr_2"}


def test_quote_verifier_names_the_events_that_differ(server: Server, tmp_path: Path) -> None:
    held = hold(server, tmp_path / "held.json")
    document = json.loads(held.read_text())
    document["platforms"] = [boot_cases.platform(boot_cases.changed(boot_cases.HOB, *boot.ACPI), 0)]
    held.write_text(json.dumps(document))
    command = [sys.executable, "-m", "quote_verifier", server.url, "--release", str(held), "--json"]
    command += ["--cache", str(tmp_path / "cache")]
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 5
    assert checks["platform.match"]["detail"] == "rtmr_0 differs in the memory map (TD HOB), the ACPI tables"
