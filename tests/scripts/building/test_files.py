"""Trees are copied as content only; files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.building.files import beside, copy_tree, remove, walk, write_durably


def test_a_copy_holds_content_and_nothing_of_the_person(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    for cache in ("__pycache__", ".ruff_cache"):
        (source / "inner" / cache).mkdir(parents=True)
    for name, mode in {"plain": 0o600, "program": 0o700, "inner/deep": 0o664}.items():
        (source / name).write_text(name)
        (source / name).chmod(mode)
    previous = os.umask(0o077)
    try:
        copy_tree(source, out)
    finally:
        os.umask(previous)
    modes = {path.relative_to(out).as_posix(): path.stat().st_mode & 0o777 for path in sorted(out.rglob("*"))}
    assert modes == {"inner": 0o755, "inner/deep": 0o644, "plain": 0o644, "program": 0o755}
    assert (out / "inner" / "deep").read_text() == "inner/deep"


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_durably(path, b"old")
    with pytest.raises(RuntimeError), beside(path) as fresh:
        fresh.write_bytes(b"half of the n")
        assert path.read_bytes() == b"old"
        raise RuntimeError
    assert [entry.name for entry in path.parent.iterdir()] == ["file"] and path.read_bytes() == b"old"
    with beside(path) as fresh:
        fresh.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_a_walk_meets_links_without_following_them(tmp_path: Path) -> None:
    (tmp_path / "a" / "__pycache__").mkdir(parents=True)
    (tmp_path / "a" / "b").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert {found.name for found in walk(tmp_path, frozenset({"__pycache__"}))} == {"a/", "a/b", "link"}


def test_write_protected_folders_are_deleted_and_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    (gone / "deep" / "deeper").mkdir(parents=True)
    (gone / "deep" / "deeper" / "file").write_text("")
    kept.mkdir()
    kept.chmod(0o500)
    (gone / "link").symlink_to(kept)
    for folder in (gone / "deep" / "deeper", gone / "deep", gone):
        folder.chmod(0o500)
    remove(gone)
    remove(gone)
    assert not gone.exists() and kept.stat().st_mode & 0o777 == 0o500
