"""Only gocryptfs keeps the right to mount, of all that a launcher starts; and the unit's drop-in is enough for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.__main__ import KEEPING
from tests.launcher import unit_standin

ROOT = Path(__file__).resolve().parents[2]
SERVICE = (ROOT / "deploy/systemd/open-webui-tdx.service").read_text()
DROP_IN = (ROOT / "deploy/systemd/encrypted-data.conf").read_text()
SYS_ADMIN = 1 << 21
#: Shows the rights of a process of root's, and of a program that it starts in turn.
SHOW = """
import subprocess
print(open("/proc/self/status").read())
print(subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout)
"""
OPENS = """
import os, sys
from pathlib import Path
from launcher.datadir import DataDir
from launcher.measure import encryption
from launcher.plan import settings
from launcher.plan.launch import Launch
from launcher.serve import locked_data
from launcher.serve.supervisor import Supervisor
from launcher.serve.vault import Vault
root = Path(sys.argv[1])
data = DataDir(root, "boot", encrypted=True)
chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": "A" * 43, "DATA_DIR": str(root)})
with locked_data.left_closed(data):
    data.prepare()
    supervisor = Supervisor(data.logs)
    launch = Launch(Path.cwd(), chosen, data, "tdx-simulated", {}, sys.executable, os.getpid())
    vault = Vault(launch, encryption.measure().path, supervisor)
    try:
        vault.create(bytes(32))
        print("opened", vault.open(bytes(32), 0))
        (data.kept / "words").write_text("words")
    finally:
        supervisor.stop()
"""


def rights(keeping: tuple[str, ...], folder: Path) -> list[int]:
    """The capabilities of a module of the launcher's, and of what that starts, where these keep theirs."""
    (folder / "shows.py").write_text(SHOW)
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(folder)!r}]\n"
        "import os\nfrom launcher import __main__ as entry\n"
        f"entry.KEEPING = {keeping!r}\nentry.run_module(os.getppid(), 'shows', [])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [int(found, 16) for found in re.findall(r"^Cap(?:Eff|Prm|Inh):\s+(\w+)$", done.stdout, re.M)]


@pytest.mark.attack
@pytest.mark.skipif(os.geteuid() != 0, reason="root alone has the right to give up")
def test_no_other_module_may_mount_nor_have_a_program_do_it(tmp_path: Path) -> None:
    found = rights(tuple(KEEPING), tmp_path)
    assert len(found) == 6 and not any(each & SYS_ADMIN for each in found)
    assert any(found), "it has root's other rights"
    assert any(each & SYS_ADMIN for each in rights(("shows",), tmp_path)), "who is to mount may"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="units are root's")
@pytest.mark.parametrize("texts", [(SERVICE, DROP_IN), (SERVICE,)], ids=["with the drop-in", "without"])
def test_the_rights_of_the_unit_suffice_for_the_encrypted_folder(texts: tuple[str, ...], tmp_path: Path) -> None:
    command = [*unit_standin.bounded("\n".join(texts)), sys.executable, "-c", OPENS, str(tmp_path / "data")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if DROP_IN in texts:
        assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["opened 1"]), done.stderr
    else:
        assert done.returncode != 0 and "gocryptfs did not open the data" in done.stderr
