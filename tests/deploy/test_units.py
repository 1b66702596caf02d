"""The release's units for systemd: understood, fenced in, and speaking of what the launcher has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from launcher import cli, errors
from launcher.serve import fence_unit
from tests.launcher import unit_standin

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
MOST_EXPOSED = 3.0
SERVICE = (ROOT / "deploy/systemd/open-webui-tdx.service").read_text()


def exposure(unit: Path, *options: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    assert tool, "systemd-analyze is not installed (Debian and Ubuntu: systemd)"
    limit = f"--threshold={MOST_EXPOSED * 10:.0f}"
    command = [tool, "security", "--offline=yes", "--no-pager", limit, *options, str(unit)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_are_these() -> None:
    assert [unit.name for unit in UNITS] == [
        "open-webui-tdx-fence@.service",
        "open-webui-tdx-ollama.service",
        "open-webui-tdx-pull@.service",
        "open-webui-tdx.service",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_exposure_is_at_most_three(unit: Path) -> None:
    done = exposure(unit)
    assert done.returncode == 0, done.stdout[-400:]
    assert re.search(r"Overall exposure level for .*: \d\.\d ", done.stdout)
    assert not done.stderr.strip(), f"systemd does not understand all of it: {done.stderr}"


def test_the_limit_can_be_missed(tmp_path: Path) -> None:
    bare = tmp_path / "open-webui-tdx.service"
    bare.write_text(re.sub(r"^(Protect|System|Restrict(Na|Ad)).*\n", "", SERVICE, flags=re.M))
    assert exposure(bare).returncode != 0


#: What the fence takes is its own unit's, and no more than that (docs/deployment.md, "What gets out").
FENCE = (ROOT / "deploy/systemd/open-webui-tdx-fence@.service").read_text()


def test_what_the_fence_takes_is_nothing_of_the_service_s() -> None:
    takes = {"sys_admin", "sys_chroot", "setuid", "setgid", "dac_read_search", "kill"}
    assert set(unit_standin.rights(FENCE)) == takes
    assert not {"sys_admin", "sys_chroot", "net_admin"} & set(unit_standin.rights(SERVICE))
    assert "RestrictNamespaces=yes\n" in SERVICE and "RestrictNamespaces=mnt ipc pid\n" in FENCE
    assert "PrivateNetwork=yes\n" in FENCE and "PrivateDevices=yes\n" in FENCE


#: What mounting the encrypted folder takes, only where that is asked for (docs/data-at-rest.md, "Under systemd").
ENCRYPTED = (ROOT / "deploy/systemd/encrypted-data.conf").read_text()
ENCRYPTED_EXPOSURE = 3.4


def test_what_encrypted_data_takes(tmp_path: Path) -> None:
    unit = tmp_path / "open-webui-tdx.service"
    unit.write_text(SERVICE + ENCRYPTED)
    done = exposure(unit)
    assert not done.stderr.strip(), f"systemd does not understand all of it: {done.stderr}"
    (found,) = re.findall(r"Overall exposure level for .*: (\d\.\d) ", done.stdout)
    assert float(found) <= ENCRYPTED_EXPOSURE
    assert unit_standin.rights(ENCRYPTED) == ["sys_admin"]
    assert "DeviceAllow=/dev/fuse rw\n" in ENCRYPTED


def test_the_service_brings_the_way_to_the_fence_along() -> None:
    assert re.search(r"^Wants=.*open-webui-tdx-fence\.socket", SERVICE, re.M)
    socket = (ROOT / "deploy/systemd/open-webui-tdx-fence.socket").read_text()
    assert f"ListenSequentialPacket={fence_unit.SOCKET}\n" in socket
    assert "SocketUser=root\nSocketMode=0600\nAccept=yes\n" in socket


BUILD = f"""
import sys
import tempfile
from pathlib import Path
from launcher.errors import UnavailableError
from launcher.serve import fence, fence_unit
entry = [sys.executable, "-I", "-S", {str(ROOT / "launcher/__main__.py")!r}]
try:
    sys.exit(print(fence.build(entry, [])))
except UnavailableError as error:
    print(error)
made = fence_unit.join(entry, [], Path({str(ROOT)!r}), Path(sys.argv[1]))
print(made.listen("127.0.0.1"))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root")
def test_the_rights_of_the_units_suffice_for_the_fence() -> None:
    """The service's alone do not; the fence's stand-in has those of its unit."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, unit_standin.listening(Path(folder) / "fence"):
        command = [*unit_standin.bounded(SERVICE), sys.executable, "-c", BUILD, f"{folder}/fence"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "This launch cannot have network namespaces of its own" in done.stdout and "127.0.0.1" in done.stdout


def test_what_a_person_has_to_mend_is_not_tried_again() -> None:
    codes = set(map(int, re.findall(r"^RestartPreventExitStatus=(.*)$", SERVICE, re.M)[0].split()))
    # Something that ended (1) or is not there yet (3) may work the next time.
    assert codes == {errors.USAGE, errors.DATA, errors.NO_TDX, errors.MODIFIED}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_command_exists(unit: Path) -> None:
    for command in re.findall(r"^ExecStart=/opt/open-webui-tdx/open-webui-tdx ?(\S*)", unit.read_text(), re.M):
        assert command in ("", "_fence") or command in cli._COMMANDS


def test_the_unit_that_serves_models_has_no_network_outside() -> None:
    text = (ROOT / "deploy/systemd/open-webui-tdx-ollama.service").read_text()
    assert "IPAddressDeny=any\nIPAddressAllow=localhost\n" in text
    assert "OLLAMA_HOST=127.0.0.1:" in text
