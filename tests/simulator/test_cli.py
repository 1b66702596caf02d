"""The command line: what it writes is what the package makes, and a mistake is one sentence."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.__main__ import main
from simulator.collateral import collateral
from simulator.faults import library
from simulator.quotes import make_quote

from .conftest import NOW

ROOT = Path(__file__).parents[2]


def simulator(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "simulator", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_quote_and_collateral(tmp_path: Path) -> None:
    out = tmp_path / "quote"
    assert simulator("quote", "--out", str(out), "--version", "5", "--report-data", "abcd").returncode == 0
    assert out.read_bytes() == make_quote(b"\xab\xcd", version=5)
    assert json.loads(simulator("collateral", "--now", str(NOW)).stdout) == collateral(NOW)
    assert simulator("collateral", "--now", str(NOW), "--out", str(tmp_path / "c"), "--fault", "future").stdout == ""
    assert json.loads((tmp_path / "c").read_text()) == collateral(NOW, fault="future")


def test_faults_are_listed() -> None:
    lines = simulator("faults").stdout.splitlines()
    assert any(line.startswith("quote") and "pck-issued-by-pck" in line for line in lines)
    assert any(line.startswith("collateral") and "revoked-pck" in line for line in lines)


@pytest.mark.slow
def test_a_release_has_all_but_the_build(tmp_path: Path) -> None:
    """A release carries the library ready-made, without `src/` and `build.py`."""
    left_out = shutil.ignore_patterns("src", "build.py", "__pycache__")
    shutil.copytree(ROOT / "simulator", tmp_path / "simulator", ignore=left_out)
    command = [sys.executable, "-m", "simulator"]
    listed = subprocess.run([*command, "faults"], cwd=tmp_path, capture_output=True, text=True)
    assert listed.returncode == 0 and "revoked-pck" in listed.stdout, listed.stderr
    help_text = subprocess.run([*command, "--help"], cwd=tmp_path, capture_output=True, text=True).stdout
    assert "pccs" in help_text and "build" not in help_text.split("positional")[1]
    server = subprocess.Popen([*command, "pccs"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert server.stdout and server.stdout.readline().startswith("http://127.0.0.1:")
    server.terminate()
    assert server.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quote", "--out", "/absent/quote"], "simulator: cannot use /absent/quote: No such file or directory"),
        (["quote", "--out", "/absent/quote", "--report-data", "xy"], "simulator: --report-data is 'xy'; it must be"),
        (["quote", "--out", "/absent/quote", "--fault", "typo"], "simulator: no quote fault is called 'typo'; known:"),
        (["collateral", "--fault", "typo"], "simulator: no collateral fault is called 'typo'; known:"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulator", *arguments])
    with pytest.raises(SystemExit) as ended:  # a text: Python writes it to standard error and exits with 1
        main()
    told = str(ended.value.code)
    assert told.startswith(message) and len(told.splitlines()) == 1
    assert capsys.readouterr() == ("", "")


def test_a_mistake_ends_a_process_with_1() -> None:
    done = simulator("pccs", "--fault", "typo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("simulator: no collateral fault is called 'typo'; known:")
    assert len(done.stderr.splitlines()) == 1


def test_documented_faults_and_settings_exist() -> None:
    """docs/simulator.md names exactly the library's settings and faults."""
    page = (ROOT / "docs" / "simulator.md").read_text()
    sources = "".join(path.read_text() for path in (ROOT / "simulator" / "src").glob("*.c"))
    table = page.split("### Faults of the library")[1].split("##")[0]
    first_cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)[1:]
    named = {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}
    assert named == set(library.NAMES)
    documented = set(re.findall(r"^\| `(TDX_SIM_\w+)` \| (?!the quote)", page, re.MULTILINE))
    assert documented == set(re.findall(r'"(TDX_SIM_\w+)"', sources))
