"""The fence under a real systemd: with the unit's sandbox and the drop-in, and said to be missing without it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.cli import config
from tests.launcher.getting_out import TRIES, WAYS

from .container import Container, image, missing

pytestmark = pytest.mark.deploy
ROOT = Path(__file__).resolve().parents[2]
UNIT = (ROOT / "deploy/systemd/open-webui-tdx.service").read_text()
#: The unit's own filter kills who asks by another architecture's numbers, so that is left out here.
TRIED = TRIES.replace('attempt("the numbers of another', "#")
SCRIPT = f"""
import os, pwd, socket, subprocess, sys
from pathlib import Path
sys.path.insert(0, "/opt/open-webui-tdx")
from launcher.errors import UnavailableError
from launcher.serve import fence
account = pwd.getpwnam("nobody")
account = type("User", (), {{"uid": account.pw_uid, "gid": account.pw_gid}})
entry = [sys.executable, "-I", "-S", "-B", "/opt/open-webui-tdx/launcher/__main__.py"]
try:
    made = fence.build(entry, [Path("/opt/open-webui-tdx"), Path("/var/lib/open-webui-tdx")])
except UnavailableError as error:
    sys.exit(print("no fence:", error))
machine = socket.create_server(("127.0.0.1", 0))
begin = f"host_port, parent, say = {{machine.getsockname()[1]}}, '{{os.getpid()}}', print"
inside = made.command([sys.executable, "-I", "-S", "-c", begin + {TRIED!r}], account)
done = subprocess.run(inside, pass_fds=[made.network], capture_output=True, text=True, cwd="/var/lib/open-webui-tdx")
print(done.returncode, done.stdout, done.stderr)
"""


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    if lacking := missing():
        pytest.skip(f"a container needs {lacking}")
    made = Container(tmp_path / "container", number=16383)
    made.make(image(config().cache), b"")
    shutil.copytree(ROOT / "launcher", made.root / "opt/open-webui-tdx/launcher")
    (made.root / "opt/open-webui-tdx/try.py").write_text(SCRIPT)
    unit = re.sub(
        r"^(EnvironmentFile|LoadCredential|ExecReload|NotifyAccess|WatchdogSec|Restart=).*\n", "", UNIT, flags=re.M
    )
    unit = re.sub(r"^ExecStart=.*", "ExecStart=/usr/bin/python3 -B /opt/open-webui-tdx/try.py", unit, flags=re.M)
    (made.root / "etc/systemd/system/open-webui-tdx.service").write_text(unit.replace("Type=notify", "Type=oneshot"))
    try:
        made.boot()
        yield made
    finally:
        made.stop()


def said(container: Container) -> str:
    started = container.run("systemctl", "start", "open-webui-tdx.service")
    assert started.returncode == 0, started.stderr
    container.run("journalctl", "--sync")
    return container.run("journalctl", "-u", "open-webui-tdx.service", "-o", "cat", "--no-pager").stdout


@pytest.mark.attack
def test_the_drop_in_is_what_the_fence_takes(container: Container) -> None:
    assert "no fence: This launch cannot have network namespaces of its own" in said(container)
    folder = container.root / "etc/systemd/system/open-webui-tdx.service.d"
    folder.mkdir()
    shutil.copy(ROOT / "deploy/systemd/fence.conf", folder)
    container.run("systemctl", "daemon-reload")
    found = said(container)
    assert "WENT OUT" not in found and found.count("refused") == WAYS - 1 and "uid 65534 []" in found, found
