"""The release's units for systemd: understood, fenced in, and speaking of what the launcher has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import cli, errors

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


def test_there_are_the_three() -> None:
    assert [unit.name for unit in UNITS] == [
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


#: What the fence takes is named as such, and no more than that (docs/deployment.md, "What gets out").
FENCE = (ROOT / "deploy/systemd/fence.conf").read_text()
FENCED_EXPOSURE = 3.9


def rights(*texts: str) -> list[str]:
    """The capabilities that a unit made of these texts keeps, as setpriv(1) spells them."""
    lines = [line for text in texts for line in re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.M)]
    return [name.removeprefix("CAP_").lower() for line in lines for name in line.split()]


def test_what_the_fence_takes(tmp_path: Path) -> None:
    unit = tmp_path / "open-webui-tdx.service"
    unit.write_text(SERVICE + FENCE)
    done = exposure(unit)
    assert not done.stderr.strip(), f"systemd does not understand all of it: {done.stderr}"
    (found,) = re.findall(r"Overall exposure level for .*: (\d\.\d) ", done.stdout)
    assert float(found) <= FENCED_EXPOSURE
    assert set(rights(FENCE)) == {"sys_admin", "net_admin"} and not set(rights(FENCE)) & set(rights(SERVICE))


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root")
@pytest.mark.parametrize("texts", [(SERVICE, FENCE), (SERVICE,)], ids=["with the drop-in", "without"])
def test_the_rights_of_the_units_suffice_for_the_fence(texts: tuple[str, ...]) -> None:
    tool = shutil.which("setpriv")
    assert tool, "setpriv is not installed (Debian and Ubuntu: util-linux)"
    build = "from launcher.serve import fence\nimport sys\n"
    build += f"fence.build([sys.executable, '-I', '-S', {str(ROOT / 'launcher/__main__.py')!r}], [])"
    bounds = "-all" + "".join(f",+{name}" for name in rights(*texts))
    command = [tool, "--bounding-set", bounds, "--no-new-privs", sys.executable, "-c", build]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if FENCE in texts:
        assert done.returncode == 0, done.stderr
    else:
        assert "This launch cannot have network namespaces of its own" in done.stderr


def test_what_a_person_has_to_mend_is_not_tried_again() -> None:
    codes = set(map(int, re.findall(r"^RestartPreventExitStatus=(.*)$", SERVICE, re.M)[0].split()))
    # Something that ended (1) or is not there yet (3) may work the next time.
    assert codes == {errors.USAGE, errors.DATA, errors.NO_TDX, errors.MODIFIED}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_command_exists(unit: Path) -> None:
    for command in re.findall(r"^ExecStart=/opt/open-webui-tdx/open-webui-tdx ?(\S*)", unit.read_text(), re.M):
        assert not command or command in cli._COMMANDS


def test_the_unit_that_serves_models_has_no_network_outside() -> None:
    text = (ROOT / "deploy/systemd/open-webui-tdx-ollama.service").read_text()
    assert "IPAddressDeny=any\nIPAddressAllow=localhost\n" in text
    assert "OLLAMA_HOST=127.0.0.1:" in text
