"""Each benchmark can be begun: it finds everything that it imports, from whatever folder it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.checks import testing
from scripts.config import Config
from scripts.errors import UsageError
from tests.scripts.tiny import Project

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = sorted(path for path in (ROOT / "bench").glob("*.py"))


@pytest.mark.slow
def test_each_is_loaded_by_itself(tmp_path: Path) -> None:
    """As a program, but for its last lines: what it measures takes minutes."""
    code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='not main')"
    failed = {}
    for script in SCRIPTS:
        done = subprocess.run([sys.executable, "-c", code, script], cwd=tmp_path, capture_output=True, text=True)
        if done.returncode:
            failed[script.name] = done.stderr[-500:]
    assert SCRIPTS and not failed


class Called:
    """Which programs `make bench` would start, and with what of the environment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, browser: str = "/browser") -> None:
        self.scripts: list[str] = []
        self.environments: list[dict[str, str]] = []
        monkeypatch.setattr(testing, "call", self._call)
        monkeypatch.setattr(testing, "tests_python", lambda cfg: Path("python"))
        monkeypatch.setattr("scripts.machine.chromium.obtain", lambda *_: Path(browser))

    def _call(self, command: list[str | Path], folder: Path, environment: dict[str, str]) -> None:
        self.scripts.append(Path(command[1]).name)
        self.environments.append(environment)


@pytest.fixture
def cfg(project: Project) -> Config:
    folder = project.cfg.root / "bench"
    folder.mkdir()
    for script in SCRIPTS:
        (folder / script.name).touch()
    return project.cfg


def test_one_command_runs_all_but_what_takes_an_hour(cfg: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    called = Called(monkeypatch)
    assert testing.run_benchmarks(cfg)
    left_out = {"build.py", "image.py", "_channel_streams.py"}
    assert called.scripts == [script.name for script in SCRIPTS if script.name not in left_out]
    assert {each["CHROMIUM"] for each in called.environments} == {"/browser"}
    assert {each["DIST_DIR"] for each in called.environments} == {str(cfg.dist)}
    assert testing.run_benchmarks(cfg, ["build"]) and called.scripts[-1] == "build.py"
    assert "CHROMIUM" not in called.environments[-1]


def test_one_that_is_not_there_is_named(cfg: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    Called(monkeypatch)
    with pytest.raises(UsageError, match="no benchmark nothing; there are: attest, build, channel, data, door"):
        testing.run_benchmarks(cfg, ["nothing"])
