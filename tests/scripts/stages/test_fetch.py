"""The fetch stage from every kind of source: the same tree, or a stop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.building import stage
from scripts.config import Config
from scripts.errors import MismatchError, NetworkError
from scripts.sources import upstream_files
from scripts.stages import fetch
from tests.scripts.tiny import Project, sh

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@localhost")


@pytest.fixture
def cached(project: Project) -> Project:
    (project.cfg.cache / "files").mkdir(parents=True)
    shutil.copy(project.sdist, project.cfg.cache / "files")
    return project


@pytest.fixture
def repository(project: Project, tmp_path: Path) -> str:
    """Upstream's tree as a git repository with its tag, and a commit after it."""
    place = tmp_path / "repository"
    shutil.copytree(project.tree, place)
    sh("git", "init", "-q", ".", cwd=place)
    sh("git", "add", "-A", cwd=place)
    sh("git", *IDENTITY, "commit", "-qm", "release", cwd=place)
    sh("git", "tag", "v1.0", cwd=place)
    (place / "README.md").write_text("later\n")
    sh("git", *IDENTITY, "commit", "-qam", "later", cwd=place)
    return f"file://{place}"


def tree(cfg: Config) -> dict[str, upstream_files.Entry]:
    return upstream_files.scan(cfg.stage("fetch"))


def test_from_the_index(cached: Project) -> None:
    stage.ensure(cached.cfg, "fetch")
    assert tree(cached.cfg) == upstream_files.scan(cached.tree)


def test_from_git_by_its_tag_and_again_from_the_cache(project: Project, repository: str, tmp_path: Path) -> None:
    cfg = project.with_(source="git", git_url=repository)
    stage.ensure(cfg, "fetch")
    assert tree(cfg) == upstream_files.scan(project.tree)
    shutil.rmtree(tmp_path / "repository")
    shutil.rmtree(cfg.build)
    stage.ensure(project.with_(source="git", git_url=repository, offline=True), "fetch")
    assert tree(cfg) == upstream_files.scan(project.tree)


def test_a_tag_that_was_moved_stops_the_build(project: Project, repository: str, tmp_path: Path) -> None:
    sh("git", "tag", "-f", "v1.0", "HEAD", cwd=tmp_path / "repository")
    with pytest.raises(MismatchError, match=r"changed: README.md"):
        stage.ensure(project.with_(source="git", git_url=repository), "fetch")


def test_git_that_cannot_be_reached(project: Project, tmp_path: Path) -> None:
    cfg = project.with_(source="git", git_url=f"file://{tmp_path}/nothing")
    with pytest.raises(NetworkError, match=r"Tag v1.0 cannot be cloned .*; name a mirror with GIT_URL="):
        stage.ensure(cfg, "fetch")
    offline = project.with_(source="git", git_url="https://user:secret@example.org/x", offline=True)
    with pytest.raises(NetworkError, match="OFFLINE=1, but tag v1.0"):
        stage.ensure(offline, "fetch")


def test_git_addresses_that_run_commands_are_refused(project: Project, tmp_path: Path) -> None:
    cfg = project.with_(source="git", git_url=f"ext::sh -c touch% {tmp_path}/ran")
    with pytest.raises(NetworkError):
        stage.ensure(cfg, "fetch")
    assert not (tmp_path / "ran").exists()


def test_from_a_checkout_with_its_working_files(project: Project) -> None:
    (project.tree / "node_modules").mkdir()
    (project.tree / "node_modules" / "x.js").write_text("x")
    cfg = project.with_(source=str(project.tree))
    stage.ensure(cfg, "fetch")
    assert not (cfg.stage("fetch") / "node_modules").exists()
    assert not stage.ensure(cfg, "fetch")
    (project.tree / "src" / "app.txt").write_text("edited\n")
    with pytest.raises(MismatchError, match="changed: src/app.txt"):
        stage.ensure(cfg, "fetch")
    assert (cfg.stage("fetch") / "src" / "app.txt").read_text().startswith("line 1\n")


def test_from_an_archive(project: Project) -> None:
    cfg = project.with_(source=str(project.sdist))
    stage.ensure(cfg, "fetch")
    assert tree(cfg) == upstream_files.scan(project.tree)


def test_the_list_can_be_made_from_the_pinned_source(cached: Project) -> None:
    text = fetch.list_upstream(cached.cfg, cached.runner())
    made = text.splitlines()[1:]
    assert made == (cached.cfg.root / upstream_files.LIST).read_text().splitlines()[1:]
    assert cached.cfg.pins["source"].sha256 in text


def test_no_network_and_a_cold_cache_leave_the_earlier_tree(cached: Project, index: Callable[[str], None]) -> None:
    stage.ensure(cached.cfg, "fetch")
    shutil.rmtree(cached.cfg.cache)
    with (cached.cfg.root / upstream_files.LIST).open("a") as file:
        file.write("# changed\n")
    with pytest.raises(NetworkError):
        stage.ensure(cached.cfg, "fetch")
    assert tree(cached.cfg) == upstream_files.scan(cached.tree)
