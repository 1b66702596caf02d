from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import MismatchError, PinError
from scripts.sources import upstream_files
from scripts.sources.upstream_files import Entry, compare, read, scan, take, write
from tests.scripts.tiny import Project

ROOT = Path(__file__).resolve().parents[3]


def listed(project: Project) -> dict[str, Entry]:
    return read(project.cfg.root / upstream_files.LIST)


def test_the_committed_list_is_whole() -> None:
    found = read(ROOT / upstream_files.LIST)
    assert len(found) == 4575
    assert found["backend/start.sh"].executable
    assert {"package-lock.json", "backend/.gitignore", "src/app.html"} <= found.keys()
    assert "PKG-INFO" not in found


def test_writing_and_reading_agree(tmp_path: Path, project: Project) -> None:
    entries = scan(project.tree)
    path = tmp_path / "list"
    path.write_text(write(entries, "comment"))
    assert read(path) == entries
    assert entries["run.sh"].executable
    assert not entries["src/app.txt"].executable


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# nothing\n", "lists no file"),
        (f"./\n{'a' * 63} x\n", "line 2"),
        (f"../\n{'a' * 64} x\n", "line 1"),
        (f"/etc/\n{'a' * 64} x\n", "line 1"),
        (f"./\n{'a' * 64} x\n{'b' * 64} x\n", "x is listed twice"),
    ],
)
def test_a_malformed_list_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(PinError, match=told):
        read(tmp_path / "list")
    with pytest.raises(PinError, match="list-upstream"):
        read(tmp_path / "absent")


def test_the_pristine_tree_is_taken_and_nothing_else(project: Project, tmp_path: Path) -> None:
    (project.tree / "node_modules" / "x").mkdir(parents=True)
    (project.tree / "node_modules" / "x" / "index.js").write_text("x")
    (project.tree / "debug.log").write_text("ignored by upstream's own .gitignore")
    take(project.tree, listed(project), tmp_path / "out", "the tree")
    assert scan(tmp_path / "out") == listed(project)


def test_every_kind_of_difference_is_listed(project: Project, tmp_path: Path) -> None:
    (project.tree / "README.md").unlink()
    (project.tree / "src" / "app.txt").write_text("changed\n")
    (project.tree / "src" / "more.txt").write_text("extra\n")
    (project.tree / "src" / "link").symlink_to("app.txt")
    differences = compare(project.tree, listed(project))
    assert differences.missing == ("README.md",)
    assert differences.changed == ("src/app.txt",)
    assert differences.extra == ("src/link", "src/more.txt")
    with pytest.raises(MismatchError) as caught:
        take(project.tree, listed(project), tmp_path / "out", "the tree")
    for line in ("missing: README.md", "changed: src/app.txt", "extra: src/link", "extra: src/more.txt"):
        assert line in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_link_in_the_place_of_a_file_is_missing(project: Project, tmp_path: Path) -> None:
    (project.tree / "README.md").rename(tmp_path / "elsewhere")
    (project.tree / "README.md").symlink_to(tmp_path / "elsewhere")
    assert compare(project.tree, listed(project)).missing == ("README.md",)


def test_a_forged_gitignore_hides_nothing_that_is_used(project: Project, tmp_path: Path) -> None:
    (project.tree / ".gitignore").write_text("*\n")
    (project.tree / "src" / "app.txt").write_text("changed\n")
    assert set(compare(project.tree, listed(project)).changed) == {".gitignore", "src/app.txt"}


def test_many_differences_are_cut_short(project: Project) -> None:
    for number in range(30):
        (project.tree / f"extra{number}").write_text("x")
    told = str(compare(project.tree, listed(project)))
    assert told.count("\n") == 20
    assert told.endswith("extra: and 10 more")
