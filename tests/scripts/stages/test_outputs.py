"""What stages leave for others is found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import MissingError
from scripts.stages.outputs import plugin_wheel


def test_the_wheel_is_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds 0 wheels"):
        plugin_wheel(tmp_path)
    (tmp_path / "quote_generator-1.0.0-cp311-abi3-linux_x86_64.whl").write_text("")
    assert plugin_wheel(tmp_path).name.startswith("quote_generator-1.0.0")
