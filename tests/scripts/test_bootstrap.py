"""The starter: what an old Python, a cold cache and two makes at once get to see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import bootstrap

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "scripts" / "bootstrap.py"


def start(
    tmp_path: Path, *arguments: str, python: str = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    settings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CACHE_DIR": str(tmp_path / "cache"), **environment}
    command = [python, str(STARTER), *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def test_offline_with_a_cold_cache_is_one_sentence(tmp_path: Path) -> None:
    done = start(tmp_path, "--", "-c", "pass", OFFLINE="1")
    assert done.returncode == bootstrap.NETWORK
    assert done.stderr.startswith(
        "error: OFFLINE=1, but the environment of scripts/requirements.lock is not in the cache"
    )
    assert "Traceback" not in done.stderr


def test_an_old_python_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    with pytest.raises(bootstrap.Refusal, match=r"Python 3\.9 .* needs 3\.11 or 3\.12") as caught:
        bootstrap.main(["--", "-c", "pass"])
    assert caught.value.code == bootstrap.MISSING


@pytest.mark.slow
def test_a_real_old_python_gets_the_sentence_too(tmp_path: Path) -> None:
    """The starter must at least parse on interpreters that a distribution still calls python3."""
    places = [Path("/usr/bin"), Path("/usr/local/bin"), *(Path.home() / ".pyenv" / "versions").glob("*/bin")]
    names = ("python3.6", "python3.7", "python3.8", "python3.9", "python3.10")
    old = [str(place / name) for place in places for name in names if os.access(place / name, os.X_OK)]
    if not old:
        import ast

        ast.parse(STARTER.read_text(), feature_version=(3, 6))
    for python in old:
        done = start(tmp_path, "--", "-c", "pass", python=python)
        assert done.returncode == bootstrap.MISSING, done.stderr
        assert "needs 3.11 or 3.12" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_python_nobody_named_is_replaced_by_one_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3.12").write_text("#!/bin/sh\nexit 127\n")  # a version manager's name without the version
    (folder / "python3.11").write_text("#!/bin/sh\nexit 0\n")
    for path in folder.iterdir():
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert bootstrap._other_python() == str(folder / "python3.11")


def test_an_interrupted_environment_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(bootstrap, "ROOT", str(tmp_path))
    monkeypatch.delenv("OFFLINE", raising=False)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "requirements.lock").write_text("# nothing\n")
    made: list[str] = []

    def fake(command: list[str], log: str) -> int:
        Path(log).write_text("last words\n")
        if "venv" in command:
            place = Path(command[-1])
            assert not place.exists()
            (place / "bin").mkdir(parents=True)
            made.append(str(place))
        return int("pip" in command and len(made) == 1)

    monkeypatch.setattr(bootstrap, "_logged", fake)
    with pytest.raises(bootstrap.Refusal, match="last words"):
        bootstrap.environment("scripts")
    python = bootstrap.environment("scripts")
    assert bootstrap.environment("scripts") == python
    assert len(made) == 2


def test_a_python_without_venv_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("OFFLINE", raising=False)
    monkeypatch.setattr(bootstrap, "_logged", lambda command, log: 1)
    with pytest.raises(bootstrap.Refusal, match="lacks the modules venv and ensurepip") as caught:
        bootstrap.environment("scripts")
    assert caught.value.code == bootstrap.MISSING


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = start(tmp_path, "--", "-c", "pass", CACHE_DIR=str(tmp_path / "file"))
    assert done.returncode == bootstrap.DISK
    assert done.stderr.startswith("error: Cannot use ")
    assert done.stderr.count("\n") == 1


def test_usage(tmp_path: Path) -> None:
    assert start(tmp_path, "-m", "scripts").returncode == 2
    assert start(tmp_path, "--unknown", "--", "x").stderr == f"error: {bootstrap.USAGE}\n"


@pytest.mark.parametrize("part", ["scripts", "tests"])
def test_the_locks_have_hashes_and_no_address(part: str) -> None:
    lines = (ROOT / part / "requirements.lock").read_text().splitlines()
    packages = [number for number, line in enumerate(lines) if "==" in line and not line.startswith("#")]
    assert packages
    for number in packages:
        assert lines[number].endswith("\\")
        assert "--hash=sha256:" in lines[number + 1]
    assert not [line for line in lines if "://" in line or line.startswith("-")]


@pytest.mark.parametrize("part", ["scripts", "tests"])
def test_the_locks_are_for_both_pythons(part: str) -> None:
    """A binary package has a wheel for each version: a lock with the hash of one alone would fail on the other."""
    text = (ROOT / part / "requirements.lock").read_text()
    for package in ("cffi==", "pydantic-core==", "lxml=="):
        block = text.split(f"\n{package}", 1)[1].split("\n", 1)[1].split("==", 1)[0]
        assert block.count("--hash=sha256:") > 10, package


def test_the_tests_hold_the_tools_very_versions() -> None:
    def versions(part: str) -> set[str]:
        text = (ROOT / part / "requirements.lock").read_text()
        return {line.split(" ")[0] for line in text.splitlines() if "==" in line and not line.startswith("#")}

    assert versions("scripts") <= versions("tests")


def test_make_finds_no_python(tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.fail("make is needed for this project")
    done = subprocess.run(
        ["make", "build", f"PYTHON={tmp_path}/python"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
