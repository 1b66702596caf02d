from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.errors import ChildError, DataError, Stopped, UnavailableError
from launcher.plan.processes import Process, Ready
from launcher.serve.supervisor import Supervisor


def spec(tmp_path: Path, code: str, name: str = "child", stop_s: float = 5) -> Process:
    ready = Ready(file=tmp_path / name)
    return Process(name, (sys.executable, "-c", code), dict(os.environ), tmp_path, ready, stop_s=stop_s)


SLEEPS = "import pathlib, time; pathlib.Path('child').touch(); time.sleep(60)"


def test_ready_and_stopped(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(spec(tmp_path, SLEEPS))
    supervisor.wait([child], 20)
    supervisor.stop()
    assert child.process.returncode == -15


@pytest.mark.slow
def test_one_that_ignores_the_polite_signal(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(
        spec(tmp_path, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPS, stop_s=0.2)
    )
    supervisor.wait([child], 20)
    supervisor.stop()
    assert child.process.returncode == -9


def test_one_that_ends_is_explained(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(spec(tmp_path, "import sys; print('the reason', flush=True); sys.exit(7)"))
    with pytest.raises(ChildError, match=r"(?s)exit code 7.*child\.log.*the reason"):
        supervisor.wait([child], 20)


@pytest.mark.slow
def test_one_that_is_never_ready(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(spec(tmp_path, "import time; time.sleep(60)"))
    with pytest.raises(UnavailableError, match="START_TIMEOUT_S"):
        supervisor.wait([child], 0.2)
    supervisor.stop()


def test_a_signal_ends_the_waiting(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(spec(tmp_path, "import time; time.sleep(60)"))
    supervisor.signal_received = 15
    with pytest.raises(Stopped):
        supervisor.wait([child], 20)
    supervisor.stop()


def test_the_log_before_is_kept(tmp_path: Path) -> None:
    for text in ("first", "second"):
        supervisor = Supervisor(tmp_path)
        child = supervisor.start(spec(tmp_path, f"print('{text}')"))
        child.process.wait()
        supervisor.stop()
    assert (tmp_path / "child.log").read_text() == "second\n"
    assert (tmp_path / "child.log.1").read_text() == "first\n"


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="log"):
        Supervisor(tmp_path / "absent").start(spec(tmp_path, ""))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="/nonexistent"):
        Supervisor(tmp_path).start(Process("x", ("/nonexistent",), {}, tmp_path, Ready()))


def test_the_tail_of_a_huge_log_is_short(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(spec(tmp_path, "print('x' * 200_000); print('end')"))
    child.process.wait()
    time.sleep(0)
    assert len(child.tail()) < 20_000 and child.tail().endswith("end")


WAITS = "import pathlib, sys, time; pathlib.Path('child').write_text(sys.stdin.read()); time.sleep(60)"


def test_one_that_waits_to_be_told(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(replace(spec(tmp_path, WAITS), told=True))
    assert not (tmp_path / "child").exists()
    child.tell(b"go\n")
    supervisor.wait([child], 20)
    supervisor.stop()
    assert (tmp_path / "child").read_text() == "go\n"


def test_telling_one_that_has_ended_explains_that(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    child = supervisor.start(replace(spec(tmp_path, "import sys; sys.exit('the reason')"), told=True))
    child.process.wait(20)
    child.tell(b"x" * 100_000)
    with pytest.raises(ChildError, match=r"(?s)exit code 1.*the reason"):
        supervisor.wait([child], 20)
