"""The framework's promises, with stages made up here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.building import stage
from scripts.building.stage import Input, Output, ensure
from scripts.config import Config
from scripts.errors import ToolError
from scripts.run import Runner
from tests.scripts.tiny import Project

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Fake:
    """A stage that writes what `write` says and counts its builds."""

    NAME: str
    DEPENDS: tuple[str, ...] = ()
    read: Callable[[Config], Iterable[Input]] = lambda cfg: ()
    write: Callable[[Config, Path], None] = lambda cfg, out: None
    built: int = 0
    __file__: str = field(default=__file__)

    def inputs(self, cfg: Config) -> Iterable[Input]:
        return self.read(cfg)

    def build(self, cfg: Config, run: Runner, out: Path) -> None:
        self.built += 1
        assert list(out.iterdir()) == []
        self.write(cfg, out)


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Fake]:
    known: dict[str, Fake] = {}
    monkeypatch.setattr(stage, "load", lambda name: known[name])
    return known


def writes(text: str) -> Callable[[Config, Path], None]:
    def write(cfg: Config, out: Path) -> None:
        (out / "result").write_text(text)

    return write


def test_a_stage_is_built_once_and_again_when_content_changes(project: Project, stages: dict[str, Fake]) -> None:
    source = project.cfg.root / "source"
    source.write_text("1")
    fake = stages["patch"] = Fake("patch", read=lambda cfg: [source, "setting"], write=writes("x"))
    assert ensure(project.cfg, "patch")
    assert not ensure(project.cfg, "patch")
    os.utime(source, (1, 1))
    assert not ensure(project.cfg, "patch")  # touched, not changed
    source.write_text("2")
    assert ensure(project.cfg, "patch")
    assert ensure(project.with_(python_version="3.12"), "patch")
    assert fake.built == 3


def test_a_change_that_a_dependency_does_not_pass_on_rebuilds_nothing(
    project: Project, stages: dict[str, Fake]
) -> None:
    source = project.cfg.root / "source"
    source.write_text("backend 1")

    def write(cfg: Config, out: Path) -> None:
        (out / "src").write_text("the same")
        (out / "backend").write_text(source.read_text())

    stages["patch"] = Fake("patch", read=lambda cfg: [source], write=write)
    front = stages["frontend"] = Fake("frontend", ("patch",), read=lambda cfg: [Output("patch", exclude=("backend",))])
    all_of_it = stages["assemble"] = Fake("assemble", ("patch",), read=lambda cfg: [Output("patch", only=("backend",))])
    for name in ("patch", "frontend", "assemble"):
        ensure(project.cfg, name)
    source.write_text("backend 2")
    for name in ("patch", "frontend", "assemble"):
        ensure(project.cfg, name)
    assert (front.built, all_of_it.built) == (1, 2)


def test_a_dependency_that_never_ran_is_named(project: Project, stages: dict[str, Fake]) -> None:
    stages["frontend"] = Fake("frontend", ("patch",))
    with pytest.raises(ToolError, match="frontend needs stage patch first"):
        ensure(project.cfg, "frontend")


def test_a_failure_leaves_the_earlier_result_and_is_tried_again(project: Project, stages: dict[str, Fake]) -> None:
    stages["patch"] = Fake("patch", read=lambda cfg: ["1"], write=writes("good"))
    ensure(project.cfg, "patch")

    def half(cfg: Config, out: Path) -> None:
        (out / "result").write_text("half")
        raise ToolError("broken")

    bad = stages["patch"] = Fake("patch", read=lambda cfg: ["2"], write=half)
    for _ in range(2):
        with pytest.raises(ToolError, match="broken"):
            ensure(project.cfg, "patch")
    assert bad.built == 2
    assert (project.cfg.stage("patch") / "result").read_text() == "good"
    assert not list(project.cfg.build.glob(".patch.*"))


def test_a_result_that_was_deleted_or_replaced_is_made_again(project: Project, stages: dict[str, Fake]) -> None:
    fake = stages["patch"] = Fake("patch", write=writes("x"))
    ensure(project.cfg, "patch")
    project.cfg.stage("patch").rename(project.cfg.build / "moved")
    ensure(project.cfg, "patch")
    project.cfg.stage("patch").rename(project.cfg.build / "moved again")
    project.cfg.stage("patch").mkdir()
    ensure(project.cfg, "patch")
    assert fake.built == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"inputs": {}}'])
def test_a_broken_stamp_is_not_trusted(project: Project, stages: dict[str, Fake], damage: str) -> None:
    fake = stages["patch"] = Fake("patch", write=writes("x"))
    ensure(project.cfg, "patch")
    (project.cfg.build / ".state" / "patch.stamp.json").write_text(damage)
    ensure(project.cfg, "patch")
    assert fake.built == 2


def test_write_protected_leftovers_are_cleared(project: Project, stages: dict[str, Fake]) -> None:
    left = project.cfg.build / ".patch.new" / "deep"
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    left.chmod(0o500)
    stages["patch"] = Fake("patch", write=writes("x"))
    ensure(project.cfg, "patch")
    assert [entry.name for entry in project.cfg.stage("patch").iterdir()] == ["result"]


SLOW = """
    import dataclasses, pickle, sys, time
    from pathlib import Path
    from scripts.building import stage

    class Slow:
        NAME, DEPENDS, __file__ = "patch", (), sys.argv[0]
        def inputs(self, cfg): return ["1"]
        def build(self, cfg, run, out):
            with (cfg.root / "builds").open("a") as file:
                file.write("x")
            (out / "result").write_text("half")
            time.sleep(float(sys.argv[2]))
            (out / "result").write_text("whole")

    stage.load = lambda name: Slow()
    stage.ensure(pickle.load(open(sys.argv[1], "rb")), "patch")
"""


@pytest.fixture
def slow(project: Project, tmp_path: Path) -> Callable[[float], subprocess.Popen[bytes]]:
    import pickle

    program, settings = tmp_path / "slow.py", tmp_path / "cfg"
    program.write_text(textwrap.dedent(SLOW))
    settings.write_bytes(pickle.dumps(project.cfg))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return lambda seconds: subprocess.Popen([sys.executable, program, settings, str(seconds)], env=environment)


def builds(project: Project) -> int:
    path = project.cfg.root / "builds"
    return len(path.read_text()) if path.exists() else 0


@pytest.mark.slow
def test_a_stage_that_was_killed_is_redone(project: Project, slow: Callable[[float], subprocess.Popen[bytes]]) -> None:
    first = slow(60)
    half = project.cfg.build / ".patch.new" / "result"
    while not half.exists():
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert half.read_text() in ("", "half")
    assert slow(0).wait() == 0
    assert (project.cfg.stage("patch") / "result").read_text() == "whole"
    assert builds(project) == 2


@pytest.mark.slow
def test_two_builds_at_once_build_once(project: Project, slow: Callable[[float], subprocess.Popen[bytes]]) -> None:
    both = [slow(1), slow(1)]
    assert [process.wait() for process in both] == [0, 0]
    assert builds(project) == 1
    assert (project.cfg.stage("patch") / "result").read_text() == "whole"


def test_every_stage_stands_after_those_it_depends_on() -> None:
    for number, name in enumerate(stage.STAGES):
        module = stage.load(name)
        assert name == module.NAME
        assert set(module.DEPENDS) <= set(stage.STAGES[:number])
