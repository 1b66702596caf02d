"""The release's entry: the right Python, isolated, from any folder, also through a link."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.config import Config
from scripts.stages.assemble import write_entry

ROOT = Path(__file__).resolve().parents[3]
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def release(tmp_path: Path, project: object) -> Path:
    folder = tmp_path / "a folder with spaces"
    (folder / "launcher").mkdir(parents=True)
    (folder / "launcher" / "__main__.py").write_text(
        "import sys\nprint(sys.version_info[:2], sys.flags.isolated, sys.flags.no_site, sys.argv[1:], "
        "sys.dont_write_bytecode)\n"
    )
    return folder


def write(cfg: Config, folder: Path, version: str) -> Path:
    import dataclasses

    entry = folder / "open-webui-tdx"
    write_entry(dataclasses.replace(cfg, root=ROOT, python_version=version), entry)
    return entry


def start(entry: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run([entry, *arguments], env=env, capture_output=True, text=True, cwd="/")


def test_it_finds_the_python_it_was_built_for(release: Path, project) -> None:  # type: ignore[no-untyped-def]
    entry = write(project.cfg, release, VERSION)
    done = start(entry, "run", "--x y", PYTHON=sys.executable)
    assert done.stdout == f"({VERSION.replace('.', ', ')}) 1 1 ['run', '--x y'] True\n", done.stderr


def test_it_works_through_a_link(release: Path, project, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write(project.cfg, release, VERSION)
    link = tmp_path / "link"
    link.symlink_to(release / "open-webui-tdx")
    assert start(link, PYTHON=sys.executable).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("named", ["", "/bin/true", "/nonexistent/python"])
def test_no_such_python_is_one_sentence(release: Path, project, named: str) -> None:  # type: ignore[no-untyped-def]
    entry = write(project.cfg, release, "3.99")
    done = start(entry, PYTHON=named)
    assert done.returncode == 3
    assert done.stdout == ""
    said = f"this release needs Python 3.99{f', which {named} is not' if named else ''}; install python3.99"
    assert done.stderr.startswith(f"open-webui-tdx: {said}")
    assert done.stderr.count("\n") == 1
