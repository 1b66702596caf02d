"""What the door imports: what the release brings and our own; nothing of upstream, which runs administrators' code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import BACKEND, ROOT

SOURCES = [*(ROOT / "door").rglob("*.py"), *(BACKEND / "attestation").rglob("*.py")]


def imported(path: Path) -> set[str]:
    """The top-level packages that a file names in an import, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.attack
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_of_upstreams_is_named(path: Path) -> None:
    assert not imported(path) & {"open_webui", "langchain", "chromadb", "socketio"}


@pytest.mark.slow
@pytest.mark.attack
def test_nothing_of_upstreams_is_loaded() -> None:
    """Also not by what is imported; `open_webui` could be: it lies beside `attestation` in a release."""
    code = (
        "import sys, importlib.util; import door.__main__, door.app, door.serving; "
        "assert importlib.util.find_spec('open_webui'); "
        "print([name for name in sys.modules if name.partition('.')[0] == 'open_webui'])"
    )
    env = {"PYTHONPATH": f"{ROOT}:{BACKEND}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
