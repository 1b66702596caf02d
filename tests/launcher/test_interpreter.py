"""What Python imports from besides the release: measured, or taken off its path. Also: which Python that is."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from launcher.measure import interpreter
from tests.ports import free_port

from .conftest import Running, command, environment

pytestmark = pytest.mark.attack

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ZIP = f"{NAME.replace('.', '')}.zip"
EVIL = "import sys\nsys.stderr.write('EVIL RAN')\n"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A Python of one's own, to add files to: the real binary and links to the real standard library."""
    (tmp_path / "bin").mkdir()
    library = tmp_path / "lib" / NAME
    library.mkdir(parents=True)
    shutil.copy(Path("/proc/self/exe").resolve(), tmp_path / "bin" / NAME)
    for path in Path(sysconfig.get_path("stdlib")).iterdir():
        (library / path.name).symlink_to(path.resolve())
    shared = interpreter.shared_library()
    if shared:
        (tmp_path / "lib" / shared.name).symlink_to(shared.resolve())
    return tmp_path


def run(prefix: Path, release: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [str(prefix / "bin" / NAME), *command(release, *arguments)[1:]]
    env = environment(LLM="embedded", DATA_DIR="/nonexistent", LD_LIBRARY_PATH=str(prefix / "lib"))
    return subprocess.run(words, env=env, capture_output=True, text=True, check=True)


def python_event(prefix: Path, release: Path) -> str:
    return python_event_of(run(prefix, release, "events", "--no-check").stdout)


def python_event_of(text: str) -> str:
    lines = [json.loads(line) for line in text.splitlines()]
    return next(str(line["event"]) for line in lines if line.get("event", "").startswith("open-webui-tdx python"))


@pytest.mark.slow
def test_a_zip_before_the_standard_library_is_measured_and_not_imported_from(prefix: Path, release: Path) -> None:
    before = python_event(prefix, release)
    with zipfile.ZipFile(prefix / "lib" / ZIP, "w") as archive:
        archive.writestr("sqlite3/__init__.py", EVIL)
    done = run(prefix, release, "events", "--no-check")
    assert "EVIL RAN" not in done.stderr
    assert python_event_of(done.stdout) != before


@pytest.mark.slow
def test_a_package_without_sources_is_measured(prefix: Path, release: Path, tmp_path: Path) -> None:
    """A folder with `__init__.pyc` is imported before the module of the same name beside it."""
    before = python_event(prefix, release)
    (tmp_path / "evil.py").write_text(EVIL)
    folder = prefix / "lib" / NAME / "colorsys"
    folder.mkdir()
    py_compile.compile(str(tmp_path / "evil.py"), cfile=str(folder / "__init__.pyc"))
    assert python_event(prefix, release) != before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test", "idlelib", "turtledemo"])
def test_what_is_not_measured_cannot_be_imported(release: Path, name: str) -> None:
    (release / "backend" / "probe.py").write_text(
        f"try:\n    import {name}\n    print('IMPORTED')\nexcept ModuleNotFoundError as error:\n    print(error)\n"
    )
    words = command(release, "_module", str(os.getpid()), "probe")
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert name in output and "IMPORTED" not in output


def test_every_folder_on_the_path_is_measured(release: Path) -> None:
    (release / "backend" / "probe.py").write_text("import json, sys\nprint(json.dumps(sys.path))\n")
    words = command(release, "_module", str(os.getpid()), "probe")
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    measured = {str(Path(path).parent) for path in interpreter.standard_library()}
    for folder in found:
        assert folder.startswith(f"{release}") or os.path.realpath(folder) in measured


@pytest.mark.slow
def test_children_run_the_python_that_was_measured(release: Path, tmp_path: Path) -> None:
    """Not the one that the launcher was told it is by its caller."""
    evil = tmp_path / "evil"
    evil.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec {sys.executable} "$@"\n')
    evil.chmod(0o755)
    data = tmp_path / "data"
    words = [str(evil), *command(release, "run")[1:]]
    process = subprocess.Popen(
        words,
        executable=sys.executable,
        env=environment(DATA_DIR=str(data), PORT=str(free_port())),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Running(process, data, 0)
    try:
        running.until("Ctrl-C stops it")
        assert not (tmp_path / "ran").exists()
    finally:
        running.end()


def test_a_library_that_is_not_mapped_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian's own interpreter: its build says "shared", and it is not; the library need not be installed."""
    settings = {"Py_ENABLE_SHARED": 1, "INSTSONAME": "libpython3.11.so.1.0", "LIBDIR": "/nonexistent"}
    monkeypatch.setattr(sysconfig, "get_config_var", settings.get)
    maps = tmp_path / "maps"
    maps.write_text("55d0-55d1 r-xp 00000000 fe:00 1 /usr/bin/python3.11\n")
    assert interpreter.shared_library(maps) is None
    maps.write_text("7f00-7f01 r-xp 00000000 fe:00 1 /usr/lib/libpython3.11.so.1.0\n")
    assert interpreter.shared_library(maps) == Path("/usr/lib/libpython3.11.so.1.0")
