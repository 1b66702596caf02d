"""The combined patch, applied as the documented procedure does it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.building import stage
from scripts.errors import MissingError, PatchError
from scripts.patches import combined
from scripts.sources import upstream_files
from scripts.stages import outputs
from tests.scripts.tiny import Project, line_patch, sh

pytestmark = pytest.mark.slow  # each test makes a repository


@pytest.fixture
def built(project: Project) -> Project:
    sh("git", "init", "-q", ".", cwd=project.cfg.root)  # as in real life, the queue lies in a repository
    (project.cfg.cache / "files").mkdir(parents=True)
    shutil.copy(project.sdist, project.cfg.cache / "files")
    project.patch("a.patch", line_patch(5, "five"))
    project.patch("b.patch", line_patch(7, "seven").replace(" line 5", " five"))
    project.new_file("backend/tee.py", "x = 'ü'\n")
    project.new_file("tools/go.sh", "#!/bin/sh\n")
    (project.cfg.root / "patches/files/tools/go.sh").chmod(0o755)
    for name in ("fetch", "patch"):
        stage.ensure(project.cfg, name)
    pages = project.cfg.stage("web") / outputs.PAGES
    (pages / "client").mkdir(parents=True)
    (pages / outputs.VERIFIER).write_text("/* \r bundle */" + "x" * 100_000)
    (pages / "client" / "gate.ts").write_text("export {};\n")
    return project


def test_it_gives_a_checkout_exactly_what_the_build_has(built: Project, tmp_path: Path) -> None:
    path = combined.write(built.cfg)
    assert path == built.cfg.dist / "open-webui-tdx-1.0-t1.patch"
    checkout = tmp_path / "by-hand" / "open-webui"
    shutil.copytree(built.tree, checkout)
    sh("git", "init", "-q", ".", cwd=checkout)
    sh("git", "apply", "--ignore-whitespace", "--directory=open-webui/", path, cwd=checkout.parent)
    expected = upstream_files.scan(built.cfg.stage("patch"))
    found = upstream_files.scan(checkout)
    git_files = {name for name in found if name.startswith(".git/")}
    pages = upstream_files.scan(built.cfg.stage("web") / outputs.PAGES)
    assert {name: found.pop(f"{outputs.PAGES_PLACE}/{name}") for name in pages} == pages
    assert set(pages) == {outputs.VERIFIER, "client/gate.ts"}
    assert {name: entry for name, entry in found.items() if name not in git_files} == expected


def test_it_is_the_same_bytes_each_time(built: Project) -> None:
    assert combined.write(built.cfg).read_bytes() == combined.write(built.cfg).read_bytes()


def test_what_is_missing_is_named(built: Project) -> None:
    shutil.rmtree(built.cfg.stage("web"))
    with pytest.raises(MissingError, match=r"verifier\.js is not there; run `make patch`"):
        combined.write(built.cfg)


@pytest.mark.parametrize("name", [outputs.VERIFIER, "client/gate.ts"])
def test_what_comes_from_web_is_refused_in_the_queue(built: Project, name: str) -> None:
    built.new_file(f"{outputs.PAGES_PLACE}/{name}", "stale")
    stage.ensure(built.cfg, "patch")
    with pytest.raises(PatchError, match="must not be in the queue"):
        combined.write(built.cfg)
