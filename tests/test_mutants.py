"""The tool that asks whether tests notice: what it changes, what it leaves alone, and that it can say SURVIVED."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests import mutants
from tests.mutants import Subject, drawn, mutated, verdict

PYTHON = '''"""1 == 1 and True."""
LIMIT = 3


def over(value: int) -> bool:
    if not value == LIMIT:
        print("a == b")
    value = value > LIMIT  # 4 > 3
    return value
'''
TS = "// a === b\nexport const over = (value: number): boolean => value > 3 && '1 > 0' !== '';\n"
NOTICES = "import over; assert over.over(4) and not over.over(3) and over.LIMIT == 3"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "over.py").write_text(PYTHON)
    (tmp_path / "over.ts").write_text(TS)
    subjects = {
        "python": Subject(0.5, ("over.py",), ((sys.executable, "-c", NOTICES),)),
        "lax": Subject(0.5, ("over.py",), ((sys.executable, "-c", "import over"),)),
        "page": Subject(0.5, ("over.ts",), ()),
    }
    monkeypatch.setattr(mutants, "SUBJECTS", subjects)
    return tmp_path


def test_code_is_changed_one_place_at_a_time_and_texts_and_comments_are_not(tree: Path) -> None:
    lines = PYTHON.splitlines()
    changed: dict[int, set[str]] = {}
    for mutant in mutants.mutants("python", tree):
        after = mutated(mutant, tree).splitlines()
        (number,) = [index for index, line in enumerate(after) if line != lines[index]]
        changed.setdefault(number, set()).add(after[number].strip())
    assert changed == {
        1: {"LIMIT = 4"},
        5: {"if not value != LIMIT:", "if value == LIMIT:"},
        6: {"pass"},
        7: {"value = value >= LIMIT  # 4 > 3"},
        8: {"return None"},
    }
    pages = {mutated(mutant, tree).splitlines()[1] for mutant in mutants.mutants("page", tree)}
    assert pages == {
        TS.splitlines()[1].replace(old, new)
        for old, new in ((" > 3", " >= 3"), (" > 3", " > 4"), (" && ", " || "), ("!==", "==="))
    }


def test_a_seed_draws_the_same_each_time(tree: Path) -> None:
    first = drawn("python", tree, "0123abc", 4)
    assert len(set(first)) == 4 and first == drawn("python", tree, "0123abc", 4)
    assert first != drawn("python", tree, "0123abd", 4)


def test_what_is_noticed_and_what_survives(tree: Path) -> None:
    (limit,) = [mutant for mutant in mutants.mutants("python", tree) if mutant.new == "4"]
    assert "SURVIVED" not in verdict(limit, tree)
    (same,) = [mutant for mutant in mutants.mutants("lax", tree) if mutant.new == "4"]
    assert verdict(same, tree) == "SURVIVED"
    assert (tree / "over.py").read_text() == PYTHON
