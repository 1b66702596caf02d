"""Fixtures shared by all tests: the compiled plugin and the simulated library, built once and kept while unchanged."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType

import pytest

from tests import compiled, leftovers
from tests.compiled import ROOT, built_once, digest_of

__all__ = ["ROOT", "built_once", "digest_of"]  # for the conftests of the parts


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does: fixtures stop the servers that they started. A second one changes nothing."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that drive a release come first: they take minutes each, and nothing should wait for one at the end."""
    long = {item.path for item in items if item.get_closest_marker("release")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session", autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """Every process and thread that a test or a shared fixture started has ended when the last test has."""
    leftovers.adopt_orphans()
    before = leftovers.threads()
    yield
    assert leftovers.children() == []
    assert leftovers.threads(within_s=5) == before  # Playwright's end by themselves, and not at once


@pytest.fixture(scope="module", autouse=True)
def nothing_is_changed(nothing_runs_on: None) -> Iterator[None]:
    """A module leaves no event loop, signal handler, folder or setting of the environment for the next one."""
    before = leftovers.condition()
    yield
    assert leftovers.changed(before, leftovers.condition()) == {}


@pytest.fixture(scope="session")
def extension() -> Path:
    """The compiled extension, a file."""
    return compiled.extension()


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
    return compiled.simulator()


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
