"""What docs/plugin.md shows works, and what it lists is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from quote_generator.errors import BY_STATUS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "plugin.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/plugin.md"])
def test_the_example_runs(simulator_environment: dict[str, str], page: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert len(example.splitlines()) <= 10
    done = subprocess.run([sys.executable, "-c", example], env=simulator_environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[0-9a-f]{96} [0-9a-f]{96} \['septve_disable'\]\n", done.stdout)


def test_every_status_is_listed() -> None:
    listed = {int(code, 16): name for code, name in re.findall(r"^\| (0x[0-9a-f]+) \| `(\w+)` \|$", PAGE, re.M)}
    assert listed == {code: cls.__name__ for code, cls in BY_STATUS.items()}


@pytest.mark.slow
def test_the_commands_exist(simulator_environment: dict[str, str]) -> None:
    commands = set(re.findall(r"python -m quote_generator (\w+)", PAGE))
    assert commands == {"info", "quote", "report", "parse", "log", "extend"}
    for command in commands:
        call = [sys.executable, "-m", "quote_generator", command, "--help"]
        assert subprocess.run(call, env=simulator_environment, capture_output=True).returncode == 0
