"""A rebuild is compared file by file, and every difference is named."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from scripts.errors import MismatchError, MissingError, UsageError
from scripts.release import manifest
from scripts.release.compare import compare
from tests.scripts.tiny import Project


def make(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    manifest.write(folder, {"v": 1, "tools": {"zig": "1"}})
    return folder


def test_the_same_release_from_folder_manifest_and_archive(project: Project, tmp_path: Path) -> None:
    make(project.cfg.release, a="1", b="2")
    published = make(tmp_path / "published", a="1", b="2")
    with tarfile.open(tmp_path / "published.tar.gz", "w:gz") as archive:
        archive.add(published, "open-webui-tdx-1")
    for source in (published, published / "release.json", tmp_path / "published.tar.gz"):
        assert compare(project.cfg, source).startswith("The same: all 2 files")


def test_every_difference_is_named(project: Project, tmp_path: Path) -> None:
    make(project.cfg.release, a="1", b="2", mine="")
    published = make(tmp_path / "published", a="1", b="three", theirs="")
    with pytest.raises(MismatchError) as caught:
        compare(project.cfg, published)
    said = str(caught.value)
    assert "b: published 5 bytes" in said
    assert "mine: only here" in said
    assert "theirs: only in the published release" in said
    assert "\n    a:" not in said


def test_other_inputs_are_told_before_the_files(project: Project, tmp_path: Path) -> None:
    make(project.cfg.release, a="1")
    published = make(tmp_path / "published", a="2")
    manifest.write(published, {"v": 1, "tools": {"zig": "2"}})
    with pytest.raises(
        MismatchError, match=r'differs from .*:\n    tools: published {"zig": "2"}, here {"zig": "1"}\n    a:'
    ):
        compare(project.cfg, published)


def test_no_release_here(project: Project, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="run `make build` first"):
        compare(project.cfg, tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "not json", json.dumps({"files": [{"x": 1}]})])
def test_what_is_no_manifest_is_refused_by_name(project: Project, tmp_path: Path, content: str) -> None:
    make(project.cfg.release, a="1")
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UsageError, match=r"x\.json"):
        compare(project.cfg, tmp_path / "x.json")
    with pytest.raises(UsageError, match="absent is no release.json"):
        compare(project.cfg, tmp_path / "absent")
