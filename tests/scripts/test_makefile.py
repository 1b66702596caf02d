"""The Makefile and the stages say the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from scripts import cli, stage

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
PROMISED = "help build run test test-fast bench doctor patch release reference clean".split()


def test_help_tells_every_target_in_one_line() -> None:
    lines = subprocess.check_output(["make", "-s", "help"], cwd=ROOT, text=True).splitlines()
    told = [line.split()[1] for line in lines]
    assert set(PROMISED) <= set(told)
    assert all(len(line) <= 120 and len(line.split()) > 3 for line in lines)


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
