"""Stopping `make` stops everything that it started, whatever those have started and left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts processes

ROOT = Path(__file__).resolve().parents[2]
# What a stage, the tests or a release may be: a child that heeds a signal, one that does not, and one that has left
# its parent, its process group and its session. Each holds the FIFO open as long as it lives.
TREE = """
import os, signal, subprocess, sys, time
held = open({fifo!r}, "w")
me = "import signal, time; {{}}; time.sleep(60)"
deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)"
for text in ("pass", deaf):
    subprocess.Popen([sys.executable, "-c", me.format(text)], pass_fds=[held.fileno()])
if not os.fork():
    os.setsid()
    if not os.fork():
        held.write("ready\\n")
        held.flush()
        time.sleep(60)
    os._exit(0)
time.sleep(60)
"""
# The build tool's own entry, with a command that runs that tree the way the tests are run, or a stage's commands.
TOOL = """
import sys
from pathlib import Path
from scripts import __main__, children, cli
from scripts.checks.parts import call
from scripts.run import Runner

children.PATIENCE_S = 0.3
children.end_all.__defaults__ = (False, 0.3)

@cli.app.command("tree")
def tree() -> None:
    command = [sys.executable, {tree!r}]
    if {runner!r}:
        Runner("tree", Path({log!r}))(command)
    else:
        call(command, Path("/"))

if sys.argv[1] == "status":
    sys.exit(10)  # there is something to build
sys.argv = ["scripts", "tree"]
sys.exit(__main__.main())
"""


@pytest.mark.parametrize("runner", [False, True], ids=["as tests run", "as stages run"])
@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGHUP, True)],
    ids=["Ctrl-C", "make terminated", "all terminated", "terminal closed"],
)
def test_stopping_make_ends_everything(tmp_path: Path, runner: bool, number: signal.Signals, group: bool) -> None:
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    (tmp_path / "tree.py").write_text(TREE.format(fifo=str(fifo)))
    text = TOOL.format(tree=str(tmp_path / "tree.py"), runner=runner, log=str(tmp_path / "log"))
    (tmp_path / "tool.py").write_text(textwrap.dedent(text))
    # `build` calls make again, whose first stage is that tree.
    make = subprocess.Popen(
        ["make", "-s", "-C", ROOT, "build", f"TOOL={sys.executable} {tmp_path / 'tool.py'}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job ignores it
    )
    rest: list[str] = []
    with fifo.open() as file:
        assert file.readline() == "ready\n"
        if group:
            os.killpg(make.pid, number)
        else:
            make.send_signal(number)
        waiting = threading.Thread(target=lambda: rest.append(file.read()), daemon=True)
        waiting.start()
        waiting.join(30)
        assert rest == [""], "somebody still holds the FIFO"
    assert make.wait(60) != 0


def test_make_calls_itself_by_exec() -> None:
    """A shell that is terminated leaves its children running, so there must be none between make and make."""
    calls = [line for line in (ROOT / "Makefile").read_text().splitlines() if "$(MAKE)" in line]
    assert calls and all("exec $(MAKE)" in line for line in calls), calls
