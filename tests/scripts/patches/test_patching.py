"""The patch stage on the tiny upstream: strict, by name, and all or nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.building import stage
from scripts.errors import PatchError
from scripts.patches import patching
from scripts.sources import gitcmd
from tests.scripts.tiny import LINES, Project, line_patch, sh

pytestmark = pytest.mark.slow  # each test makes a repository


@pytest.fixture
def fetched(project: Project) -> Project:
    (project.cfg.cache / "files").mkdir(parents=True)
    shutil.copy(project.sdist, project.cfg.cache / "files")
    stage.ensure(project.cfg, "fetch")
    return project


def result(project: Project) -> Path:
    return project.cfg.stage("patch")


def test_the_queue_is_applied_in_order_then_the_files_are_added(fetched: Project) -> None:
    fetched.patch("b.patch", line_patch(5, "five"))
    fetched.patch("a.patch", line_patch(7, "seven").replace(" line 5", " five"))
    fetched.new_file("src/tee/new.txt", "new\n")
    stage.ensure(fetched.cfg, "patch")
    assert (result(fetched) / "src" / "app.txt").read_text() == LINES.replace("line 5\n", "five\n").replace(
        "line 7\n", "seven\n"
    )
    assert (result(fetched) / "src" / "tee" / "new.txt").read_text() == "new\n"
    assert not (result(fetched) / ".git").exists()
    assert (result(fetched) / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (fetched.cfg.stage("fetch") / "src" / "app.txt").read_text() == LINES


def test_a_patch_that_does_not_apply_is_named_with_file_and_hunk(fetched: Project) -> None:
    fetched.patch("good.patch", line_patch(5, "five"))
    stage.ensure(fetched.cfg, "patch")
    second_hunk = "@@ -20,3 +20,3 @@\n line 20\n-line twenty-one\n+21\n line 22\n"
    fetched.patch("bad.patch", line_patch(10, "ten") + second_hunk)
    with pytest.raises(PatchError) as caught:
        stage.ensure(fetched.cfg, "patch")
    assert "Patch bad.patch does not apply" in str(caught.value)
    assert "src/app.txt: hunk #2 does not fit" in str(caught.value)
    assert "five" in (result(fetched) / "src" / "app.txt").read_text()
    assert "ten" not in (result(fetched) / "src" / "app.txt").read_text()


def test_there_is_no_fuzz(fetched: Project) -> None:
    fetched.patch("fuzzy.patch", line_patch(5, "five").replace(" line 3\n", " line three\n"))
    with pytest.raises(PatchError, match="fuzzy.patch"):
        stage.ensure(fetched.cfg, "patch")


def test_an_offset_is_told(fetched: Project) -> None:
    fetched.patch("moved.patch", line_patch(15, "fifteen").replace("@@ -13,5 +13,5 @@", "@@ -11,5 +11,5 @@"))
    stage.ensure(fetched.cfg, "patch")
    log = (fetched.cfg.logs / "patch.log").read_text()
    assert "moved.patch: src/app.txt: hunk #1 fits 2 line(s) away, at 13" in log


def test_inside_a_repository_that_ignores_the_folder(fetched: Project, tmp_path: Path) -> None:
    sh("git", "init", "-q", ".", cwd=tmp_path)
    (tmp_path / ".gitignore").write_text("/build/\n")
    fetched.patch("a.patch", line_patch(5, "five"))
    stage.ensure(fetched.cfg, "patch")
    assert "five" in (result(fetched) / "src" / "app.txt").read_text()


def test_gits_success_is_not_believed(fetched: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a repository of its own, git skips the ignored folder and exits 0: we must notice."""
    sh("git", "init", "-q", ".", cwd=fetched.cfg.build)
    (fetched.cfg.build / ".gitignore").write_text("*\n")
    fetched.patch("a.patch", line_patch(5, "five"))
    monkeypatch.setattr(
        patching, "git", lambda arguments, tree: "" if arguments is gitcmd.INIT else gitcmd.git(arguments, tree)
    )
    with pytest.raises(PatchError, match="git reports success, but the file did not change"):
        stage.ensure(fetched.cfg, "patch")


def test_a_personal_git_configuration_changes_nothing(
    fetched: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text("[core]\n\tautocrlf = true\n[apply]\n\twhitespace = error-all\n\tignoreWhitespace = change\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    fetched.patch("a.patch", line_patch(5, "five  "))
    stage.ensure(fetched.cfg, "patch")
    assert b"five  \n" in (result(fetched) / "src" / "app.txt").read_bytes()
    fetched.patch("b.patch", line_patch(12, "twelve").replace(" line 10", "  line  10"))
    with pytest.raises(PatchError, match="b.patch"):
        stage.ensure(fetched.cfg, "patch")


def test_a_touched_backend_file_changes_only_the_backend(fetched: Project) -> None:
    fetched.new_file("backend/tee.py", "one\n")
    stage.ensure(fetched.cfg, "patch")
    before = [stage.output_digest(fetched.cfg, stage.Output("patch", exclude=x)) for x in ((), ("backend",))]
    fetched.new_file("backend/tee.py", "two\n")
    assert stage.ensure(fetched.cfg, "patch")
    after = [stage.output_digest(fetched.cfg, stage.Output("patch", exclude=x)) for x in ((), ("backend",))]
    assert before[0] != after[0]
    assert before[1] == after[1]
