"""The Makefile and the stages say the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scripts import cli
from scripts.building import stage

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
PROMISED = ("help", "build", "run", "test", "test-fast", "bench", "doctor", "patch", "release", "reference", "clean")


def test_help_tells_every_target_in_one_line() -> None:
    lines = subprocess.check_output(["make", "-s", "help"], cwd=ROOT, text=True).splitlines()
    targets = [line for line in lines if line.startswith("  make ")]
    assert set(PROMISED) <= {line.split()[1] for line in targets}
    assert all(len(line) <= 120 for line in lines)
    assert all(len(line.split()) > 3 for line in targets)


def test_help_is_in_groups_and_ends_with_the_settings() -> None:
    lines = subprocess.check_output(["make", "-s", "help"], cwd=ROOT, text=True).splitlines()
    groups = [line for line in lines if line and not line.startswith(" ")]
    assert len(groups) == 5
    assert groups[-1].startswith("Settings")
    assert "TDX" in "".join(lines[lines.index(groups[-1]) :])


def test_real_hardware_is_looked_for_before_anything_is_built(tmp_path: Path) -> None:
    """Where there is none, nobody waits for a build to hear it."""
    tool, log = tmp_path / "tool", tmp_path / "log"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {log}\n[ "$1" != require-tdx ]\n')
    tool.chmod(0o755)
    command = ["make", "-s", "run", f"TOOL={tool}"]
    assert subprocess.run([*command, "TDX=real"], cwd=ROOT, check=False, capture_output=True).returncode != 0
    assert log.read_text().split() == ["require-tdx"]
    log.unlink()
    subprocess.run([*command, "TDX=auto"], cwd=ROOT, check=True, capture_output=True)
    assert "require-tdx" not in log.read_text()


def test_the_order_of_the_stages_is_the_one_they_declare() -> None:
    found = dict(re.findall(r"^stage-(\w+): (stage-.*)$", MAKEFILE, re.M))
    assert re.search(r"^STAGES := (.*)$", MAKEFILE, re.M)[1].split() == list(stage.STAGES)  # type: ignore[index]
    for name in stage.STAGES:
        declared = {f"stage-{dependency}" for dependency in stage.load(name).DEPENDS}
        assert set(found.get(name, "").split()) == declared, name


def test_every_command_of_the_makefile_exists() -> None:
    known = {command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback}
    used = set(re.findall(r"\$\(TOOL\) ([a-z-]+)", MAKEFILE))
    assert used <= known, used - known


@pytest.mark.slow
def test_two_jobs_run_side_by_side_in_the_declared_order(tmp_path: Path) -> None:
    """`make -j2` with a stand-in for the tool that notes when each stage begins and ends."""
    tool, log = tmp_path / "tool", tmp_path / "log"
    tool.write_text(f"#!/bin/sh\necho begin $1 >> {log}\nsleep 0.3\necho end $1 >> {log}\n")
    tool.chmod(0o755)
    subprocess.run(["make", "-s", "-j2", "stages", f"TOOL={tool}"], cwd=ROOT, check=True, capture_output=True)
    lines = log.read_text().splitlines()
    for name in stage.STAGES:
        assert lines.count(f"begin {name}") == 1
        for dependency in stage.load(name).DEPENDS:
            assert lines.index(f"end {dependency}") < lines.index(f"begin {name}")
    span = {name: (lines.index(f"begin {name}"), lines.index(f"end {name}")) for name in stage.STAGES}
    begin, end = span.pop("backend")
    assert any(other[0] < end and begin < other[1] for other in span.values()), (
        "nothing ran beside the backend environment"
    )


def test_build_asks_once_and_does_only_what_is_needed(tmp_path: Path) -> None:
    tool, log = tmp_path / "tool", tmp_path / "log"
    for status, expected in ((0, 1), (10, 1 + len(stage.STAGES)), (2, 1)):
        log.unlink(missing_ok=True)
        tool.write_text(f'#!/bin/sh\necho "$@" >> {log}\n[ "$1" != status ] || exit {status}\n')
        tool.chmod(0o755)
        done = subprocess.run(["make", "-s", "build", f"TOOL={tool}"], cwd=ROOT, check=False, capture_output=True)
        assert len(log.read_text().splitlines()) == expected
        assert (done.returncode == 0) == (status != 2)
