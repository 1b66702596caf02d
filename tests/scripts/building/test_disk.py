"""A full and a read-only disk: one sentence, a code, and earlier results as they were."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts import errors
from scripts.building import stage
from tests.scripts.tiny import Project


@pytest.fixture
def built(project: Project) -> Project:
    (project.cfg.cache / "files").mkdir(parents=True)
    shutil.copy(project.sdist, project.cfg.cache / "files")
    for name in ("fetch", "patch"):
        stage.ensure(project.cfg, name)
    return project


@contextmanager
def small_files() -> Iterator[None]:
    """Writes beyond 100 bytes fail, as on a disk that is full in the middle of a file.

    Only around the call: pytest's own output may go to a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_write_that_breaks_off_leaves_the_earlier_result(built: Project) -> None:
    before = (built.cfg.stage("patch") / "src" / "app.txt").read_text()
    (built.cfg.root / "patches" / "series").write_text("#\n")
    with pytest.raises(OSError, match="File too large") as caught, small_files():
        stage.ensure(built.cfg, "patch")
    assert "larger than this process may write" in str(errors.from_os_error(caught.value))
    assert (built.cfg.stage("patch") / "src" / "app.txt").read_text() == before
    assert not list(built.cfg.build.glob(".patch*"))


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = tmp_path / "small"
    place.mkdir()

    def make(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this machine does not let root mount")
        return place

    yield make
    subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)


def test_a_full_disk(project: Project, mount: Callable[[str], Path]) -> None:
    small = mount("size=512k")
    cfg = project.with_(build=small / "build")
    (cfg.cache / "files").mkdir(parents=True)
    shutil.copy(project.sdist, cfg.cache / "files")
    stage.ensure(cfg, "fetch")
    (small / "fill").write_bytes(b"")
    with (small / "fill").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError:
            pass
    with pytest.raises(OSError, match="No space left") as caught:
        stage.ensure(cfg, "patch")
    assert "no space is left there" in str(errors.from_os_error(caught.value))
    (small / "fill").unlink()
    stage.ensure(cfg, "patch")
    assert (cfg.stage("fetch") / "README.md").read_text() == "Upstream\n"


def test_a_read_only_disk(project: Project, mount: Callable[[str], Path]) -> None:
    cfg = project.with_(build=mount("size=64k,ro") / "build")
    with pytest.raises(OSError, match="Read-only") as caught:
        stage.ensure(cfg, "fetch")
    assert "the file system is read-only" in str(errors.from_os_error(caught.value))


@pytest.mark.slow
def test_the_command_says_it_in_one_sentence(tmp_path: Path) -> None:
    import sys

    (tmp_path / "file").write_text("")
    root = Path(__file__).resolve().parents[3]
    settings = {"PATH": os.environ["PATH"], "HOME": "/", "BUILD_DIR": str(tmp_path / "file" / "build")}
    command = [sys.executable, "-m", "scripts", "patch"]
    done = subprocess.run(command, cwd=root, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == errors.DiskError.exit_code
    assert done.stderr.startswith("error: Cannot use ")
    assert "Traceback" not in done.stderr
