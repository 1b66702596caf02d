from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.errors import CommandError, MissingError
from scripts.run import Runner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner("part", tmp_path / "logs" / "part.log")


def python(text: str) -> list[object]:
    return [sys.executable, "-c", text]


def test_output_is_returned_echoed_and_logged(run: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(python("print('hello')")) == "hello\n"
    assert "[part] $ " in capsys.readouterr().out
    log = run.log.read_text()
    assert "hello\n" in log
    assert "exit status 0" in log


def test_a_failure_shows_the_last_lines_and_the_logs_path(run: Runner) -> None:
    with pytest.raises(CommandError) as caught:
        run(python("print('\\n'.join(f'row {n}' for n in range(100))); raise SystemExit(3)"), what="the thing")
    told = str(caught.value)
    assert "the thing failed with exit status 3 in stage part" in told
    assert str(run.log) in told
    assert "row 99" in told
    assert "row 50" not in told
    assert "row 50" in run.log.read_text()


def test_credentials_reach_neither_log_nor_error(run: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError) as caught:
        run([*python("import sys; print(sys.argv[1]); sys.exit(1)"), "https://me:secret@host/x"])
    assert "secret" not in str(caught.value) + run.log.read_text() + capsys.readouterr().out
    assert "https://***@host/x" in run.log.read_text()


def test_the_environment_is_laid_over_ours(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONE", "1")
    text = "import os; print(os.environ.get('GONE'), os.environ['NEW'], 'PATH' in os.environ)"
    assert run(python(text), env={"GONE": None, "NEW": "2"}) == "None 2 True\n"


def test_a_missing_program_is_named(run: Runner) -> None:
    with pytest.raises(MissingError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_death_by_signal_is_named(run: Runner) -> None:
    with pytest.raises(CommandError, match="was ended by SIGKILL"):
        run(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as at a terminal, also where these tests are a background job, which shells start with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_what_was_started_children_included(run: Runner, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    child = f"import time; held = open({str(alive)!r}, 'w'); time.sleep(600)"
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    ended: list[str] = []

    def interrupt() -> None:
        with alive.open() as file:  # opens once the child has
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            ended.append(file.read())  # returns once nobody holds it any more

    watcher = threading.Thread(target=interrupt, daemon=True)
    watcher.start()
    with pytest.raises(KeyboardInterrupt):
        run(python(text))
    watcher.join(30)
    assert ended == [""]


def test_a_terminal_sees_which_stage_it_is_and_how_long_it_takes(tmp_path: Path) -> None:
    """In a pseudo-terminal: the number of the stage, the time that passed, and about how long the whole takes."""
    code = (
        "import sys; from pathlib import Path; from scripts.run import Runner; "
        f"Runner('frontend', Path({str(tmp_path / 'log')!r}), 'stage 6 of 8, frontend', 165)"
        "([sys.executable, '-c', \"print('transforming')\"])"
    )
    read, write = os.openpty()
    termios.tcsetwinsize(write, (24, 100))
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=write, env=environment, check=True, timeout=60)
    os.close(write)
    seen = os.read(read, 65536).decode()
    os.close(read)
    assert "[stage 6 of 8, frontend, 0:00 of about 2:45] transforming" in seen
