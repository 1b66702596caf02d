"""`make lint` covers what it says."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from scripts.checks import linting
from scripts.config import from_environment
from scripts.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]


def test_an_unknown_part_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linting, "tests_python", lambda cfg: Path("python"))
    with pytest.raises(UsageError, match="no part typo of `make lint`; there are: ruff, format, mypy, shellcheck,"):
        linting.lint(from_environment(ROOT), ["mypy", "typo"])


@pytest.mark.slow
def test_every_folder_with_python_of_ours_is_typed() -> None:
    typed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    folders = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("*/**/*.py")} - {"build", "dist", "var", "web"}
    assert {Path(name).parts[0] for name in typed} >= {name for name in folders if not name.startswith(".")}


def test_every_shell_script_is_found() -> None:
    found = linting.shell_scripts(ROOT)
    assert {".ci/run", "scripts/release/open-webui-tdx.sh", "scripts/release/rebuild-and-compare"} <= set(found)
    assert not [name for name in found if name.endswith(".py")]


def test_every_file_of_the_forge_has_a_schema() -> None:
    found = {path for pattern in linting.SCHEMAS.values() for path in (ROOT / ".github").glob(pattern)}
    assert found == {path for path in (ROOT / ".github").rglob("*") if path.is_file()}


def test_every_action_is_pinned_by_commit_with_its_version_beside_it() -> None:
    used = [
        line.split("uses:")[1].strip()
        for path in (ROOT / ".github").glob("workflows/*.yml")
        for line in path.read_text().splitlines()
        if re.search(r"\buses:", line)
    ]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", name)] == []


@pytest.mark.slow
def test_no_function_has_more_than_60_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for package in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long == []
