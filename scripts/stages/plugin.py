"""The attester's plugin as a wheel and the simulator's library, both compiled by the pinned zig."""

from __future__ import annotations

import importlib.metadata
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path

from scripts.building.files import copy_tree
from scripts.building.stage import Input
from scripts.config import Config
from scripts.errors import MissingError
from scripts.run import Runner
from scripts.stages.outputs import plugin_wheel
from scripts.tools.reproducible import reproducible
from scripts.tools.zig import zig, zig_environment

NAME = "plugin"
DEPENDS: tuple[str, ...] = ()
SOURCES = ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "docs/plugin.md", "quote_generator", "simulator")

PLATFORM = "manylinux_2_28_x86_64"  # what zig compiles for; a test asks auditwheel

# The standard interface of build backends (PEP 517), without an isolated environment: the tools are locked already.
_BUILD = """
import os, sys
os.umask(0o022)
from setuptools.build_meta import build_wheel
build_wheel(sys.argv[1], {"--build-option": ["--plat-name", sys.argv[2]]})
"""


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    for name in SOURCES:
        yield cfg.root / name
    yield cfg.pins["zig"].sha256
    for tool in ("Cython", "setuptools"):
        yield f"{tool} {importlib.metadata.version(tool)}"


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    check_headers(Path(sysconfig.get_paths()["include"]), cfg.python_version)
    compiler = zig(cfg, run)
    environment = {
        **reproducible(),
        **zig_environment(cfg),
        "CC": compiler,
        "CFLAGS": None,
        "LDFLAGS": None,
        "PYTHONPATH": None,
    }
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".plugin.work.") as folder:
        work = Path(folder)
        for name in SOURCES:
            if (cfg.root / name).exists():
                copy_tree(cfg.root / name, work / name)
        run(wheel_command(out), cwd=work, env=environment, what="building the quote_generator wheel")
        simulator = [
            sys.executable,
            "-m",
            "simulator",
            "build",
            "--out",
            out,
            "--cc",
            shlex.join(shlex.split(compiler)),
        ]
        run(simulator, cwd=work, env=environment, what="compiling the simulator")
    plugin_wheel(out)


def wheel_command(out: Path) -> list[str | Path]:
    """What builds the wheel from the sources in the current folder into `out`."""
    return [sys.executable, "-c", _BUILD, out, PLATFORM]


def check_headers(include: Path, python_version: str) -> None:
    """MissingError unless Python's own headers are here."""
    if not (include / "Python.h").is_file():
        raise MissingError(
            f"The headers of Python {python_version} are missing ({include}/Python.h): install "
            f"python{python_version}-dev "
            f"(Debian, Ubuntu) or python{python_version}-devel (Alibaba Cloud Linux, Fedora)."
        )
