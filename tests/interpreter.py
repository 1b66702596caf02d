"""The Python that a release runs with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


def release_python(release: Path) -> str:
    """A Python of the minor version that the release was built for."""
    wanted = json.loads((release / "release.json").read_bytes())["python"]
    found = shutil.which(f"python{wanted}")
    if found is None:
        pytest.fail(f"This release needs python{wanted}, which is not here.", pytrace=False)
    return found
