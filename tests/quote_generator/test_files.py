"""A file is the old one or, whole, the new one, and a failure leaves nothing beside it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from launcher import files as launcher_files
from quote_generator import files


@pytest.mark.parametrize("module", [files, launcher_files], ids=["quote_generator", "launcher"])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, module: ModuleType) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), module.beside(path) as fresh:
        fresh.write_text("half")
        raise OSError("full")
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("file", "old")]
    with module.beside(path) as fresh:
        fresh.write_text("new")
        assert path.read_text() == "old"
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("file", "new")]
