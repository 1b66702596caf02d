"""What a service manager is told, and that a service that hangs gives no sign of life."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from launcher.errors import Stopped
from launcher.measure import encryption
from launcher.plan.processes import Process, Ready
from launcher.serve import locked_data, notify, unlocking
from launcher.serve import supervisor as supervising
from launcher.serve.notify import Notifier
from launcher.serve.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parents[2]


class Alive:
    """In a process's place: it runs."""

    @staticmethod
    def poll() -> None:
        return None


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def test_each_word_is_one_datagram(manager: socket.socket, tmp_path: Path) -> None:
    teller = Notifier(str(tmp_path / "notify"))
    teller.status("Measuring")
    teller.ready("Serving https://chat.example")
    teller.stopping()
    assert manager.recv(1000) == b"STATUS=Measuring"
    assert manager.recv(1000) == b"READY=1\nSTATUS=Serving https://chat.example\nWATCHDOG=1"
    assert manager.recv(1000) == b"STOPPING=1\nSTATUS=Stopping"


def test_an_abstract_name() -> None:
    name = f"open-webui-tdx-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        Notifier(f"@{name}").status("here")
        assert listening.recv(100) == b"STATUS=here"


def test_nobody_asked_or_listens(tmp_path: Path) -> None:
    Notifier("").ready("nobody hears it")
    assert not Notifier("").due()
    Notifier(str(tmp_path / "gone")).ready("nobody hears it")


def test_a_launch_asks_for_more_time_and_a_service_feeds_the_watchdog(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "EVERY_S", 0.0)
    supervisor = Supervisor(tmp_path, notifier=Notifier(str(tmp_path / "notify")))
    supervisor.check()
    assert manager.recv(100) == b"EXTEND_TIMEOUT_USEC=120000000"
    supervisor.notifier.ready("serving")
    manager.recv(100)
    supervisor.check()
    assert manager.recv(100) == b"WATCHDOG=1"


def test_a_part_that_hangs_is_no_sign_of_life(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "EVERY_S", 0.0)
    supervisor = Supervisor(tmp_path, notifier=Notifier(str(tmp_path / "notify"), serving=True))
    hangs = Process("web server", ("true",), {}, tmp_path, Ready(socket=tmp_path / "nobody-answers"))
    supervisor.children.append(Child(hangs, Alive(), tmp_path / "log"))  # type: ignore[arg-type]
    supervisor.check()
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_a_launch_that_waits_for_its_owner_is_ready_for_as_long_as_it_takes(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that ends a start ends it (TimeoutStartSec=), and what serves after that is no start any more."""
    monkeypatch.setattr(notify, "EVERY_S", 0.0)
    monkeypatch.setattr(supervising, "is_ready", lambda sign: True)
    monkeypatch.setattr(encryption, "measure", lambda volume: SimpleNamespace(path=tmp_path))
    supervisor = Supervisor(tmp_path, notifier=Notifier(str(tmp_path / "notify")))
    door = Child(Process("door", ("true",), {}, tmp_path, Ready()), Alive(), tmp_path / "log")  # type: ignore[arg-type]
    supervisor.children.append(door)
    looks = iter(range(5))

    def nobody_comes(*_: object) -> tuple[list[object], ...]:
        if next(looks) == 4:
            supervisor.signal_received = 15
        return [], [], []

    monkeypatch.setattr(unlocking, "select", SimpleNamespace(select=nobody_comes))
    supervisor.check()
    settings = SimpleNamespace(data_key="unlock", origin="", local_url="http://127.0.0.1:1", start_timeout_s=1)
    plan = SimpleNamespace(launch=SimpleNamespace(settings=settings, data=SimpleNamespace(volume="")))
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Stopped):
        locked_data.LockedData(plan, supervisor, door, ours).wait_for_owner()  # type: ignore[arg-type]
    ready = f"READY=1\nSTATUS={locked_data.LOCKED}\nWATCHDOG=1"
    heard = [manager.recv(1000).decode() for _ in range(7)]
    assert heard == ["EXTEND_TIMEOUT_USEC=120000000", ready, *["WATCHDOG=1"] * 5]


def test_the_second_process_speaks_through_the_first(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which systemd hears: the kernel's word on who sent it is the first's number."""
    manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    code = """
import sys
from launcher.serve.keeper import keep
from launcher.serve.notify import Notifier

def work():
    Notifier().ready("serving")
    return 0

sys.exit(keep(work))
"""
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen([sys.executable, "-c", code], env=env)
    message, ancillary, _, _ = manager.recvmsg(1000, socket.CMSG_SPACE(12))
    assert message == b"READY=1\nSTATUS=serving\nWATCHDOG=1"
    assert int.from_bytes(ancillary[0][2][:4], sys.byteorder) == first.pid
    assert first.wait(20) == 0
