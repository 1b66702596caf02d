"""The built release. Tests here need `make build` first, and fail, never skip, without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.config import Config, from_environment
from tests import interpreter

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
    return interpreter.release_python(release)
