"""The tool that takes patches away: which attacks it tries, what it leaves in place, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import unpatched
from tests.compiled import ROOT


def test_each_attack_is_tried_without_the_patch_of_its_row() -> None:
    found = unpatched.rows(ROOT)
    assert "test_cve_2026_45349_anothers_chat" in found["backend-chats-and-sockets.patch"]
    assert "test_a_picture_signs_nobody_out" in found["backend-small-holes.patch"]
    assert len(found) > 12


def test_a_hunk_is_parted_where_it_imports_our_modules() -> None:
    head = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n"
    hunk = "@@ -1,3 +1,5 @@\n import os\n+from open_webui.tee import access\n from b import (\n+    asked,\n     c,\n"
    assert unpatched.without_imports(head + hunk) == head + "@@ -1,2 +1,3 @@\n from b import (\n+    asked,\n     c,\n"


def test_what_stays_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py.rej").write_text("--- a.py\n+++ a.py\n@@ -1 +1 @@\n-    ask_first()\n")
    assert list(unpatched.left(tmp_path)) == ["a.py: -    ask_first()"]


@pytest.mark.parametrize(
    ("ended", "got_through", "line"),
    [
        (["failure"], True, "  got through: test_x"),
        (["failure", ""], True, "  got through (1 of 2): test_x"),
        ([""], False, "  WAS STOPPED: test_x"),
        (["error"], False, "  COULD NOT BE TRIED: test_x"),
        ([], False, "  COULD NOT BE TRIED: test_x"),
    ],
)
def test_what_is_said_of_an_attack(ended: list[str], got_through: bool, line: str) -> None:
    assert unpatched.said("test_x", ended) == (got_through, line)
