"""The fence under a real systemd: by a unit of its own, for a service that has no right to namespaces."""

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
FENCE = ("open-webui-tdx-fence.socket", "open-webui-tdx-fence@.service")
STARTER = (ROOT / "scripts/release/open-webui-tdx.sh").read_text()
#: The unit's own filter kills who asks by another architecture's numbers, so that is left out here.
TRIED = TRIES.replace('attempt("the numbers of another', "#")
SCRIPT = f"""
import os, pwd, socket, subprocess, sys
from pathlib import Path
sys.path.insert(0, "/opt/open-webui-tdx")
from launcher.errors import UnavailableError
from launcher.serve import fence, fence_unit
account = pwd.getpwnam("nobody")
account = type("User", (), {{"uid": account.pw_uid, "gid": account.pw_gid}})
release = Path("/opt/open-webui-tdx")
entry = [sys.executable, "-I", "-S", "-B", str(release / "launcher/__main__.py")]
keep = [release, Path("/var/lib/open-webui-tdx")]
try:
    sys.exit(print("a fence of its own:", fence.build(entry, keep)))
except UnavailableError as error:
    print(error)
if not fence_unit.is_there():
    sys.exit(print("no unit to ask"))
try:
    made = fence_unit.join(entry, keep, release)
except UnavailableError as error:
    sys.exit(print("no fence:", error))
machine = socket.create_server(("127.0.0.1", 0))
begin = f"host_port, parent, say = {{machine.getsockname()[1]}}, '{{os.getpid()}}', print"
inside = made.command([sys.executable, "-I", "-S", "-c", begin + {TRIED!r}], account)
done = subprocess.run(inside, pass_fds=[made.network], capture_output=True, text=True, cwd="/var/lib/open-webui-tdx")
print(done.returncode, done.stdout, done.stderr)
listener = made.listen("127.0.0.1")
asks = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).sendall(b'words')"
words = [sys.executable, "-I", "-S", "-c", asks, str(listener.getsockname()[1])]
subprocess.run(made.command(words, account), pass_fds=[made.network], cwd="/")
print("heard", listener.accept()[0].recv(9))
stays = "import os, time; os.fork() or (os.setsid(), print('stays', flush=True), time.sleep(600)); time.sleep(600)"
command = made.command([sys.executable, "-I", "-S", "-c", stays], account)
print(subprocess.Popen(command, pass_fds=[made.network], cwd="/", stdout=subprocess.PIPE).stdout.readline())
"""


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    if lacking := missing():
        pytest.skip(f"a container needs {lacking}")
    made = Container(tmp_path / "container", number=16383)
    made.make(image(config().cache), b"")
    place, units = made.root / "opt/open-webui-tdx", made.root / "etc/systemd/system"
    shutil.copytree(ROOT / "launcher", place / "launcher")
    (place / "try.py").write_text(SCRIPT)
    (place / "open-webui-tdx").write_text(STARTER.replace("@PYTHON@", "3.11"))
    (place / "open-webui-tdx").chmod(0o755)
    unit = re.sub(
        r"^(EnvironmentFile|LoadCredential|ExecReload|NotifyAccess|WatchdogSec|Restart=).*\n", "", UNIT, flags=re.M
    )
    unit = re.sub(r"^ExecStart=.*", "ExecStart=/usr/bin/python3 -B /opt/open-webui-tdx/try.py", unit, flags=re.M)
    (units / "open-webui-tdx.service").write_text(unit.replace("Type=notify", "Type=oneshot"))
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


LISTED = ("systemctl", "list-units", "--all", "--plain", "--no-legend", "open-webui-tdx-fence@*.service")
CONNECT = (
    "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect('/run/open-webui-tdx-fence')"
)


@pytest.mark.attack
def test_the_fence_is_made_by_its_unit_and_ends_with_the_launch(container: Container) -> None:
    alone = said(container)
    assert "This launch cannot have network namespaces of its own" in alone and "no unit to ask" in alone
    for name in FENCE:
        shutil.copy(ROOT / "deploy/systemd" / name, container.root / "etc/systemd/system")
    container.run("systemctl", "daemon-reload")
    found = said(container).removeprefix(alone)
    assert "WENT OUT" not in found and found.count("refused") == WAYS - 1 and "uid 65534 []" in found, found
    assert "heard b'words'" in found and "b'stays\\n'" in found, found
    # The launch is over, and so is the unit: systemd says that only once nothing of it is left.
    container.until(lambda: not container.run(*LISTED).stdout)
    asked = container.run("setpriv", "--reuid=65534", "--clear-groups", "python3", "-c", CONNECT)
    assert "PermissionError" in asked.stderr
