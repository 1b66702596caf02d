"""The check of the documentation finds each kind of drift, and ours has none."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scripts.checks.documents import examine

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        "Makefile": "STAGES := one\nbuild: x\n\ttrue\n",
        "docs/other.md": "# A heading, with `code`\n",
        "scripts/here.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[a](docs/other.md), [b](docs/other.md#a-heading-with-code), [c](https://example.com/none)", ""),
        ("`make build`, `make stage-one`, `scripts/here.py`, `build/made/later`, `n/a`, make sure", ""),
        ("    python3 scripts/bootstrap.py -- -m scripts status", ""),
        ("[a](docs/absent.md)", "the link to docs/absent.md leads nowhere"),
        ("![a](docs/absent.png)", "the link to docs/absent.png leads nowhere"),
        ("[a](docs/other.md#no-such)", "other.md has no heading #no-such"),
        ("run `make absent`", "`make absent` does not exist"),
        ("    make absent DIST=x", "`make absent` does not exist"),
        ("`python -m scripts absent`", "`python -m scripts absent` does not exist"),
        ("see `scripts/absent.py`", "`scripts/absent.py` is not there"),
    ],
)
def test_each_kind_of_drift_is_found(repository: Path, line: str, told: str) -> None:
    (repository / "README.md").write_text(f"# Title\n\n{line}\n")
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    assert examine(repository) == ([f"README.md:3: {told}"] if told else [])


def test_ours_names_only_what_is_there() -> None:
    assert examine(ROOT) == []


def test_every_documented_step_points_at_code() -> None:
    """Each row of the README's table of the vendor's procedure; that what it names exists is the check's."""
    table = (ROOT / "README.md").read_text().split("| documented step | here |")[1].split("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and "---" not in row]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`([\w./-]+/[\w.-]*)`", row)
        assert [name for name in named if (ROOT / name).exists()], row
