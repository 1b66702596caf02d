"""The project that pins the tiny upstream of tiny.py, and a stand-in for the machine's index settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.config import Config
from scripts.sources import registry, upstream_files
from scripts.sources.pins import Pins, Release
from tests.scripts.tiny import GITIGNORE, UPSTREAM, Project, make_sdist, pin, write_tree


@pytest.fixture
def project(tmp_path: Path) -> Project:
    tree, root, served = (tmp_path / name for name in ("upstream", "root", "served"))
    write_tree(tree, {**UPSTREAM, ".gitignore": GITIGNORE})
    served.mkdir()
    sdist = served / "fake-1.0.tar.gz"
    make_sdist(tree, sdist)
    for folder in ("patches/files", "scripts/sources"):
        (root / folder).mkdir(parents=True)
    (root / "patches" / "series").write_text("# order\n")
    listed = upstream_files.write(upstream_files.scan(tree), "made by a test")
    (root / upstream_files.LIST).write_text(listed)
    release = Release("1.0-t1", "1.0", "v1.0", "file:///nowhere", "2025-01-01")
    cfg = Config(
        root=root,
        build=tmp_path / "build",
        dist=tmp_path / "dist",
        cache=tmp_path / "cache",
        var=tmp_path / "var",
        profile="slim",
        source="index",
        git_url="file:///nowhere",
        offline=False,
        python=Path("/usr/bin/python3"),
        python_version="3.11",
        jobs=1,
        pins=Pins(release, {"source": pin(sdist)}),
    )
    return Project(cfg, tree, sdist)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the configured Python index, and nothing else, for this test."""

    def use(url: str, *extra: str) -> None:
        monkeypatch.setattr(registry, "registry", lambda: registry.Registry(url, extra, (), ""))

    use("http://127.0.0.1:9/simple")  # nobody listens there
    return use
