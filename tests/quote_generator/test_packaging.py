"""What an integrator installs: complete, typed, reproducible, and clear about a missing compiler."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import rfc8785

from tests.compiled import compiler

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "docs/plugin.md", "quote_generator")
# The standard interface of build backends (PEP 517); an isolated environment would ask an index.
BACKEND = "import sys; from setuptools.build_meta import build_{0}; build_{0}(sys.argv[1])"


def copy_sources(target: Path) -> Path:
    for name in SOURCES:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


def python(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    environment = {**os.environ, "CC": shlex.join(compiler()), **environment}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_a_missing_compiler_is_one_sentence(tmp_path: Path) -> None:
    done = python("setup.py", "-q", "build_ext", cwd=copy_sources(tmp_path / "s"), CC="no-such-cc")
    assert done.returncode == 1
    assert (
        "quote_generator needs a C compiler (no-such-cc was not found): install one (`yum install gcc`" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_wheel_from_the_sdist_works_in_an_empty_environment(tmp_path: Path) -> None:
    sources = copy_sources(tmp_path / "sources")
    done = python("-c", BACKEND.format("sdist"), tmp_path, cwd=sources)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert {"quote_generator/_binding.pyx", "quote_generator/_abi.h", "LICENSE", "setup.py"} <= names
    how = ["-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = python("-m", "pip", "wheel", *how, "-w", tmp_path, sdist, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert re.search("cp311-abi3-linux", wheel.name)
    with zipfile.ZipFile(wheel) as archive2:
        contents = set(archive2.namelist())
    assert {f"quote_generator/{name}" for name in ("py.typed", "_binding.pyi", "attester.py")} <= contents
    assert not any(name.endswith((".pyx", ".c", ".h")) or name.startswith("tests/") for name in contents)
    venv.create(tmp_path / "empty", with_pip=True)
    fresh = tmp_path / "empty" / "bin" / "python"
    install: list[str | Path] = [fresh, "-m", "pip", "install", "-q", "--no-deps", wheel]
    installed = subprocess.run(install, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    (site,) = (tmp_path / "empty" / "lib").glob("python*/site-packages")
    shutil.copytree(Path(rfc8785.__file__).parent, site / "rfc8785")  # the one dependency, without asking an index
    code = "import quote_generator as q\ntry: q.generate_quote()\nexcept q.TdxAttestError as e: print(e.code)"
    used = subprocess.run([fresh, "-I", "-c", code], capture_output=True, text=True, cwd="/")
    assert used.stdout == "None\n", used.stderr  # the extension is there; only the library is missing
    info = subprocess.run([fresh, "-I", "-m", "quote_generator", "info"], capture_output=True, text=True, cwd="/")
    assert info.returncode == 0, info.stderr


@pytest.mark.slow
def test_the_releases_wheel_runs_on_what_its_name_says(tmp_path: Path) -> None:
    from scripts.stages import plugin

    done = python(*plugin.wheel_command(tmp_path)[1:], cwd=copy_sources(tmp_path / "sources"))
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == "quote_generator-1.0.0-cp311-abi3-manylinux_2_28_x86_64.whl"
    shown = python("-m", "auditwheel", "show", wheel, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    oldest = re.search(r'following\s+platform\s+tag:\s+"manylinux_2_(\d+)_x86_64"', shown.stdout)
    assert oldest and int(oldest[1]) <= 28, shown.stdout


@pytest.mark.slow
def test_where_there_is_no_tdx_the_build_says_so(tmp_path: Path) -> None:
    sources = copy_sources(tmp_path / "sources")
    elsewhere = "import platform, runpy, sys; platform.machine = lambda: 'aarch64'"
    build = f"{elsewhere}; sys.argv = ['setup.py', '-q', 'build_ext']; runpy.run_path('setup.py')"
    done = python("-c", build, cwd=sources)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith(
            "error: quote_generator is for Intel TDX, which is on Linux on x86-64 only; this is Linux on aarch64."
        )
    )
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_same_sources_give_the_same_wheel_in_any_folder(tmp_path: Path) -> None:
    digests = []
    for folder in ("a", "another/much/deeper/folder"):
        sources = copy_sources(tmp_path / folder)
        done = python("setup.py", "-q", "bdist_wheel", cwd=sources, SOURCE_DATE_EPOCH="1700000000")
        assert done.returncode == 0, done.stderr
        (wheel,) = (sources / "dist").glob("*.whl")
        digests.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_the_extension_needs_no_new_libc_and_names_no_folder(extension: Path) -> None:
    """So that one wheel runs on any TD: Alibaba Cloud Linux 3 has glibc 2.32."""
    content = extension.read_bytes()
    versions = {tuple(map(int, found.split(b"."))) for found in re.findall(rb"GLIBC_([0-9.]+)", content)}
    assert versions and max(versions) <= (2, 17)
    for folder in (str(ROOT), str(Path.home()), sys.prefix, sys.base_prefix):
        assert folder.encode() not in content
