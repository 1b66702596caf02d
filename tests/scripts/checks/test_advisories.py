"""The table of advisories: every row has its patch and its test, and every known advisory its row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.checks import advisories
from scripts.errors import ToolError

ROOT = Path(__file__).resolve().parents[3]
ROWS = advisories.table(ROOT)
TESTS = set(
    re.findall(
        r"^(?:async )?def (test_\w+)",
        "\n".join(
            path.read_text()
            for folder in ("attacks", "backend", "browser")
            for path in (ROOT / "tests" / folder).glob("*.py")
        ),
        re.MULTILINE,
    )
)


def test_every_known_advisory_has_one_row() -> None:
    identifiers = [row.identifier for row in ROWS]
    assert advisories.missing(ROOT, "0.5.20") == [] and len(identifiers) == len(set(identifiers)) > 50


def test_what_is_patched_has_its_patch_and_its_test() -> None:
    queue = (ROOT / "patches/series").read_text().split()
    for row in ROWS:
        if row.status == "patched":
            assert row.patch in queue, row
            assert row.test in TESTS, row
            others = re.findall(r"the same as (CVE-\d+-\d+)", row.what)
            assert set(others) <= {other.identifier for other in ROWS if other.status == "patched"}, row
            named = [identifier.lower().replace("-", "_") in row.test for identifier in (row.identifier, *others)]
            assert any(named), row
        assert not row.patch or row.patch in queue, row
        assert not row.test or row.test in TESTS, row


def test_what_has_no_identifier_has_its_patch_and_its_test_too() -> None:
    named = [(row.patch, row.test) for row in advisories.nameless(ROOT) if row.status == "patched"]
    assert len(named) >= 10
    for patch, test in named:
        assert (ROOT / "patches" / patch).is_file() and test in TESTS, (patch, test)


def test_every_attack_with_an_identifier_has_a_row() -> None:
    rows = {row.identifier for row in ROWS}
    for test in TESTS:
        for year, number in re.findall(r"cve_(\d{4})_(\d+)", test):
            assert f"CVE-{year}-{number}" in rows, test


def project(tmp_path: Path, lines: str, rows: str) -> Path:
    for name, text in ((advisories.LIST, lines), (advisories.TABLE, rows)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_reaches_a_version_and_has_no_row(tmp_path: Path) -> None:
    lines = "# a comment\nCVE-2026-1 0.6.0\nCVE-2026-2 0.5.20\nCVE-2026-3 ?\nCVE-2026-4 0.10.0\n"
    root = project(tmp_path, lines, "| CVE-2026-4 | what | open | | |\n")
    assert advisories.missing(root, "0.5.20") == ["CVE-2026-1", "CVE-2026-3"]


@pytest.mark.parametrize(
    ("lines", "rows"),
    [("CVE-2026-1\n", ""), ("", "| CVE-2026-1 | what | perhaps | | |\n"), ("", "| CVE-2026-1 | open |\n")],
)
def test_lines_of_another_shape_are_refused(tmp_path: Path, lines: str, rows: str) -> None:
    root = project(tmp_path, lines, rows)
    with pytest.raises(ToolError):
        advisories.missing(root, "0.5.20")
