from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UVICORN = "import os, sys\nprint(sys.argv[1:], os.environ['EARLY'], os.environ['LATE'])\n"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder of packages: a uvicorn that says how it was started, a slow one that works, and one that is broken."""
    for name, text in {"uvicorn": "", "fastapi": "", "chromadb": "raise OSError('broken')"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"{text}\n")
    (tmp_path / "uvicorn" / "__main__.py").write_text(UVICORN)
    return tmp_path


def web(packages: Path, told: bytes) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": f"{packages}:{ROOT}", "EARLY": "1", "LATE": "not known yet"}
    command = [sys.executable, "-m", "launcher.serve.web", "app", "--port", "1"]
    return subprocess.run(command, input=told, env=environment, cwd=packages, capture_output=True, check=False)


@pytest.mark.slow
def test_it_serves_with_what_it_is_told(packages: Path) -> None:
    done = web(packages, b'{"LATE": "told"}\n')
    assert (done.returncode, done.stdout) == (0, b"['app', '--port', '1'] 1 told\n"), done.stderr.decode()


@pytest.mark.slow
def test_untold_it_serves_nothing(packages: Path) -> None:
    done = web(packages, b"")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"the launcher ended before" in done.stderr
