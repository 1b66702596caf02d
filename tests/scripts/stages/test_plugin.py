"""The plugin stage says what is missing to compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import MissingError
from scripts.stages import plugin


def test_missing_headers_are_named_with_the_package_that_has_them(tmp_path: Path) -> None:
    with pytest.raises(
        MissingError, match=r"headers of Python 3\.12 are missing \(.*Python\.h\): install python3\.12-dev"
    ):
        plugin.check_headers(tmp_path, "3.12")


def test_present_headers_are_enough(tmp_path: Path) -> None:
    (tmp_path / "Python.h").write_text("")
    plugin.check_headers(tmp_path, "3.11")
