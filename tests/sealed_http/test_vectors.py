"""The shared vectors say what this code does."""

from __future__ import annotations

import json

from tests.sealed_http import vectors


def test_the_file_is_what_the_code_makes() -> None:
    assert json.loads(vectors.FILE.read_text(encoding="utf-8")) == vectors.document()
