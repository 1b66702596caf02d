"""Whom the fence's unit serves and whom not, and that what is inside ends with who asked for it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.errors import UnavailableError
from launcher.plan import settings
from launcher.plan.launch import Launch
from launcher.plan.processes import User
from launcher.serve import fence_service, fence_unit, starting
from launcher.serve.fence_unit import UnitFence
from launcher.serve.supervisor import Supervisor

from . import unit_standin
from .unit_standin import ROOT

ENTRY = (sys.executable, "-I", "-S", "-B", str(unit_standin.ENTRY))
NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root")


@pytest.fixture
def path() -> Iterator[Path]:
    """Where the unit's socket is to be: as short as it has to be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "fence"


def join(path: Path, release: Path = ROOT) -> UnitFence:
    return fence_unit.join(ENTRY, [ROOT], release, path)


def start(made: UnitFence, script: str) -> subprocess.Popen[str]:
    command = made.command([sys.executable, "-I", "-S", "-c", script], User("root", 0, 0))
    return subprocess.Popen(command, pass_fds=[made.network], stdout=subprocess.PIPE, text=True, cwd="/")


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


WAITS = "import time; print('begun', flush=True); time.sleep(600)"


@pytest.mark.slow
def test_a_launch_that_ends_takes_all_that_is_inside_with_it(path: Path) -> None:
    with unit_standin.listening(path) as services:
        made = join(path)
        waiting = start(made, WAITS)
        assert line(waiting) == "begun"
        waiting.kill()  # as its launcher does, or the kernel where that is gone
        assert waiting.stdout and waiting.stdout.read() == "", "nothing holds the other end: the program is gone, too"
        waiting.wait()
        waiting.stdout.close()
        os.close(made.network)
        assert services[0].wait(60) == 0


@pytest.mark.slow
def test_a_signal_reaches_the_program(path: Path) -> None:
    script = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('begun', flush=True)\n"
    with unit_standin.listening(path):
        made = join(path)
        waiting = start(made, script + "time.sleep(600)")
        assert line(waiting) == "begun"
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(60) == 7
        assert waiting.stdout
        waiting.stdout.close()
        os.close(made.network)


@pytest.mark.slow
def test_where_the_unit_is_killed_no_program_goes_on(path: Path) -> None:
    with unit_standin.listening(path) as services:
        made = join(path)
        waiting = start(made, WAITS)
        assert line(waiting) == "begun"
        services[0].kill()
        assert waiting.wait(60) == 1
        assert waiting.stdout and waiting.stdout.read() == ""
        waiting.stdout.close()
        with pytest.raises(OSError):
            made.listen("127.0.0.1")
        os.close(made.network)


@pytest.mark.slow
@pytest.mark.attack
def test_a_network_that_is_not_its_own_is_no_fence(path: Path) -> None:
    """systemd starts a unit without the network of its own that it asks for where it cannot make one."""
    with (
        unit_standin.listening(path, alone=False),
        pytest.raises(UnavailableError, match=r"no network of its own \(PrivateNetwork=\)"),
    ):
        join(path)


def test_a_network_that_leads_further_is_told_by_its_interfaces() -> None:
    head = "Inter-|   Receive\n face |bytes    packets\n"
    assert fence_service.interfaces(f"{head}    lo:       0       0\n") == ["lo"]
    assert fence_service.interfaces(f"{head}    lo:       0       0\n  eth0:  12  1\n") == ["lo", "eth0"]
    assert fence_service.interfaces(Path("/proc/self/net/dev").read_text()) == [
        name for _, name in socket.if_nameindex()
    ]


@pytest.mark.slow
@pytest.mark.attack
def test_another_release_is_not_asked_to_fence_in(path: Path) -> None:
    with (
        unit_standin.listening(path),
        pytest.raises(UnavailableError, match="runs another release .* than this one .*elsewhere"),
    ):
        join(path, Path("/opt/elsewhere"))


ASKS = """
import os, socket, sys
it = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
it.connect(sys.argv[1])
network = os.open("/proc/self/ns/net", os.O_RDONLY)
socket.send_fds(it, [b"{}"], [network])
print(it.recv(999).decode())
near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    socket.send_fds(it, [b'{"do": "listen", "host": "127.0.0.1", "port": 0}'], [far.fileno()])
except OSError:
    pass
far.close()
print("answered", near.recv(999))
"""


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("mode", [0o600, 0o666], ids=["as it is", "if anybody could connect"])
def test_nobody_but_root_can_have_something_started(path: Path, mode: int) -> None:
    with unit_standin.listening(path, mode=mode):
        asked = subprocess.run(
            ["/usr/bin/python3", "-I", "-S", "-c", ASKS, str(path)],
            user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True,
        )  # fmt: skip
    if mode == 0o600:
        assert "PermissionError" in asked.stderr and not asked.stdout
    else:
        assert "Only root is served, and number 65534 asks" in asked.stdout
        assert asked.stdout.endswith("answered b''\n"), asked.stdout + asked.stderr


def test_only_a_socket_of_roots_is_taken_for_the_units(path: Path) -> None:
    assert not fence_unit.is_there(path)
    path.touch()
    assert not fence_unit.is_there(path)
    path.unlink()
    with unit_standin.listening(path):
        assert fence_unit.is_there(path)
        os.chown(path, NOBODY, NOBODY)
        assert not fence_unit.is_there(path)


def test_an_ollama_beside_the_fences_unit_is_a_unit_too(tmp_path: Path) -> None:
    environ = {"LLM": "ollama", "OLLAMA_BASE_URL": "http://127.0.0.1:1"}
    launch = Launch(tmp_path, settings.load(environ), DataDir(tmp_path, "boot"), "tdx-simulated", environ)
    supervisor = Supervisor(tmp_path, fence=UnitFence(-1, ENTRY, os.getpid(), ()))
    with pytest.raises(UnavailableError, match="start it .systemctl start open-webui-tdx-ollama"):
        starting.ollama_where_none_answers(launch, supervisor, fenced=True)
