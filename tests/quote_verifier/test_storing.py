"""Files are written whole, or nothing is left."""

import json
from pathlib import Path
from typing import Any

import pytest
from quote_verifier.storing import write_json


def test_whole(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    write_json(tmp_path / "a.json", {"a": 2}, indent=1)
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("document", [{"a": 1}, {"a": object()}])
def test_nothing_is_left_behind(tmp_path: Path, document: dict[str, Any]) -> None:
    """Onto a folder, and of a document that cannot be written."""
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises((OSError, TypeError)):
        write_json(target, document)
    assert list(tmp_path.iterdir()) == [target] and not list(target.iterdir())
