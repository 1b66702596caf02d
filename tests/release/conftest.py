"""The built release. Tests here need `make build` first, and fail, never skip, without it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts.config import Config, from_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def cfg() -> Config:
    return from_environment(ROOT)


@pytest.fixture(scope="session")
def release(cfg: Config) -> Path:
    """The release folder."""
    if not (cfg.release / "release.json").is_file():
        pytest.fail(f"There is no release in {cfg.release}; run `make build` first.", pytrace=False)
    return cfg.release


@pytest.fixture(scope="session")
def release_python(release: Path) -> str:
    """A Python of the minor version that the release was built for."""
    wanted = json.loads((release / "release.json").read_bytes())["python"]
    found = shutil.which(f"python{wanted}")
    if found is None:
        pytest.fail(f"This release needs python{wanted}, which is not here.", pytrace=False)
    return found
