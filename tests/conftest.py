"""Fixtures shared by all tests: the compiled plugin and the simulated library, built once and kept while unchanged."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "tests"


def digest_of(*patterns: str) -> str:
    """A short name for the contents of the files that match, and for this Python."""
    hasher = hashlib.sha256(sys.version.encode())
    for path in sorted(p for pattern in patterns for p in ROOT.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".so":
            hasher.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return hasher.hexdigest()[:16]


def built_once(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `build/tests/<name>`, made by `build(folder)` unless it is there; safe from parallel test runs."""
    folder = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            fresh = CACHE / f"{name}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            build(fresh)
            fresh.rename(folder)
    return folder


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> None:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}", pytrace=False)


def _build_extension(out: Path) -> None:
    """Compiles a copy of the package, so that nothing is written into the sources."""
    for name in ("setup.py", "pyproject.toml", "LICENSE", "MANIFEST.in", "docs/plugin.md"):
        (out / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, out / name)
    shutil.copytree(ROOT / "quote_generator", out / "quote_generator", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "setup.py", "-q", "build_ext", "--inplace", cwd=out)


@pytest.fixture(scope="session")
def extension() -> Path:
    """The compiled extension, a file."""
    sources = ("quote_generator/*.pyx", "quote_generator/*.h", "setup.py")
    built = built_once("extension-" + digest_of(*sources), _build_extension)
    return next((built / "quote_generator").glob("_binding.*.so"))


@pytest.fixture(scope="session")
def plugin_path(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH whose quote_generator has its compiled extension."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "quote_generator", folder / "quote_generator")
    shutil.copy(extension, folder / "quote_generator")
    return folder


@pytest.fixture(scope="session")
def plugin(extension: Path) -> ModuleType:
    """The package quote_generator of the source tree, with the compiled extension importable."""
    import quote_generator

    compiled = str(extension.parent)
    if compiled not in quote_generator.__path__:
        quote_generator.__path__.append(compiled)
    return quote_generator


@pytest.fixture(scope="session")
def simulator_library() -> Path:
    """The simulated libtdx_attest.so.1."""

    def build(out: Path) -> None:
        run(sys.executable, "-m", "simulator", "build", "--out", out)

    return built_once("simulator-" + digest_of("simulator/**/*"), build) / "libtdx_attest.so.1"


@pytest.fixture
def simulator_environment(simulator_library: Path, plugin_path: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a process that uses the plugin with the simulated library and a TD of its own."""
    state = tmp_path / "td"
    state.mkdir()
    return {
        **os.environ,
        "PYTHONPATH": str(plugin_path),
        "PYTHONSAFEPATH": "1",  # `python -m` must not find the sources in the current folder first
        "LD_LIBRARY_PATH": str(simulator_library.parent),
        "TDX_SIM_STATE": str(state),
    }


@pytest.fixture
def simulator(
    plugin: ModuleType, simulator_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The plugin bound to the simulated library in this process, with a TD of its own."""
    from quote_generator import library

    monkeypatch.setenv("TDX_SIM_STATE", str(tmp_path / "td"))
    (tmp_path / "td").mkdir(exist_ok=True)
    library.load(str(simulator_library))
    yield plugin
    monkeypatch.setattr(library, "_loaded", None)
