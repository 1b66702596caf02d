from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from scripts.building import fingerprint
from scripts.building.files import IGNORED
from scripts.building.fingerprint import StatCache, digest


def tree(folder: Path) -> Path:
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "x.txt").write_text("1")
    (folder / "run.sh").write_text("2")
    (folder / "link").symlink_to("run.sh")
    return folder


def test_equal_trees_are_equal_whatever_their_times(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    os.utime(two / "run.sh", (1, 1))
    assert digest(one) == digest(two)
    (two / "run.sh").chmod(0o600)
    assert digest(one) == digest(two)


def test_every_difference_counts(tmp_path: Path) -> None:
    base = tree(tmp_path / "t")
    seen = {digest(base)}
    for change in (
        lambda: (base / "run.sh").write_text("3"),
        lambda: (base / "run.sh").chmod(0o755),
        lambda: (base / "run.sh").rename(base / "go.sh"),
        lambda: (base / "empty").mkdir(),
        lambda: (base / "link").unlink(),
        lambda: (base / "link").symlink_to("elsewhere"),
    ):
        change()
        seen.add(digest(base))
    assert len(seen) == 7
    assert digest(tmp_path / "nothing") == "absent"


def test_caches_of_tools_are_ignored_where_asked(tmp_path: Path) -> None:
    base = tree(tmp_path / "t")
    before = digest(base, None, IGNORED)
    (base / "a" / "__pycache__").mkdir()
    (base / "a" / "__pycache__" / "x.pyc").write_text("x")
    assert digest(base, None, IGNORED) == before
    assert digest(base) != before


def test_the_cache_saves_reading_but_never_hides_a_change(tmp_path: Path, monkeypatch: object) -> None:
    base = tree(tmp_path / "t")
    file = base / "run.sh"
    long_ago = time.time() - 100
    for path in (file, base / "a" / "x.txt"):
        os.utime(path, (long_ago, long_ago))
    cache = StatCache(tmp_path / "cache.json")
    before = digest(base, cache)
    cache.save()
    file.write_text("9")
    os.utime(file, (long_ago, long_ago))  # same size, same time; only ctime tells
    assert digest(base, StatCache(tmp_path / "cache.json")) != before


def test_settled_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    cache = StatCache(tmp_path / "cache.json")
    with monkeypatch.context() as settled:
        settled.setattr(fingerprint, "_SETTLED_NS", -1)
        first = cache.sha256(str(path), path.stat())
    cache.save()
    reads: list[str] = []
    monkeypatch.setattr(fingerprint, "file_sha256", lambda read: reads.append(str(read)))
    assert StatCache(tmp_path / "cache.json").sha256(str(path), path.stat()) == first
    assert reads == []


def test_a_broken_cache_file_is_only_slow(tmp_path: Path) -> None:
    (tmp_path / "cache.json").write_text("{broken")
    base = tree(tmp_path / "t")
    assert digest(base, StatCache(tmp_path / "cache.json")) == digest(base)
