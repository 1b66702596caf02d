"""The fast check of the queue, which needs no source."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import PatchError
from scripts.patches import patchqueue
from scripts.sources import upstream_files
from tests.scripts.tiny import HEADER, Project, line_patch, sh

ROOT = Path(__file__).resolve().parents[3]


def check(project: Project) -> patchqueue.Queue:
    upstream = upstream_files.read(project.cfg.root / upstream_files.LIST)
    return patchqueue.read(project.cfg.root / "patches", upstream)


def refused(project: Project) -> str:
    with pytest.raises(PatchError) as caught:
        check(project)
    return str(caught.value)


@pytest.mark.slow
def test_the_projects_own_queue_is_in_order() -> None:
    queue = patchqueue.read(ROOT / "patches", upstream_files.read(ROOT / upstream_files.LIST))
    assert queue.patches
    assert queue.new_files
    assert all(patch.files for patch in queue.patches)


def test_a_queue_in_a_subfolder_of_a_repository_is_read_all_the_same(project: Project) -> None:
    """git apply, in a repository's subfolder, leaves out the files that lie elsewhere in it."""
    sh("git", "init", "-q", ".", cwd=project.cfg.root)
    project.patch("a.patch", line_patch(5, "five"))
    assert check(project).patches[0].files == ("src/app.txt",)
    project.patch("b.patch", line_patch(5, "five", path="src/other.txt"))
    assert "upstream has no file src/other.txt" in refused(project)


def test_an_empty_queue_is_in_order(project: Project) -> None:
    assert check(project).patches == ()
    (project.cfg.root / "patches" / "series").unlink()
    assert check(project).patches == ()


def test_a_sound_patch_is_read(project: Project) -> None:
    text = line_patch(5, "five").replace("What: Change a line.", "What: Change\n  a line.")
    project.patch("a.patch", text)
    project.new_file("src/new.txt", "new\n")
    (queue) = check(project)
    assert queue.patches[0].header["What"] == "Change a line."
    assert queue.patches[0].files == ("src/app.txt",)
    assert queue.new_files == ("src/new.txt",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (line_patch(5, "five").replace("\n---\n", "\n"), "a.patch: no header"),
        (line_patch(5, "five").replace("Why: A test needs it.\n", ""), "a.patch: the header lacks 'Why:'"),
        (line_patch(5, "five").replace("Why: A test needs it.", "Why:"), "a.patch: the header lacks 'Why:'"),
        (line_patch(5, "five").replace("Why:", "Because:"), "a.patch: header line 2"),
        (line_patch(5, "five").replace("Why: ", "What: "), "a.patch: header line 2"),
        (HEADER + "hello\n", "a.patch: what follows"),
        (line_patch(5, "five").replace("-3,5 +3,5", "-3,9 +3,9"), "a.patch: git cannot parse it"),
        (line_patch(5, "five", path="src/other.txt"), "a.patch: upstream has no file src/other.txt"),
        (
            HEADER + "diff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n",
            "a.patch: 'new file mode' is not allowed",
        ),
        (
            HEADER + "diff --git a/run.sh b/run.sh\nold mode 100755\nnew mode 100644\n",
            "a.patch: 'old mode' is not allowed",
        ),
    ],
)
def test_a_malformed_patch_is_refused_by_name(project: Project, text: str, told: str) -> None:
    project.patch("a.patch", text)
    assert told in refused(project)


def test_a_patch_that_is_no_text_is_refused(project: Project) -> None:
    (project.cfg.root / "patches" / "a.patch").write_bytes(b"\xff\xfe")
    (project.cfg.root / "patches" / "series").write_text("a.patch\n")
    assert "a.patch: not UTF-8" in refused(project)


def test_the_series_and_the_folder_must_agree(project: Project) -> None:
    project.patch("listed-twice.patch", line_patch(5, "five"))
    project.patch("unlisted.patch", line_patch(6, "six"), listed=False)
    with (project.cfg.root / "patches" / "series").open("a") as file:
        file.write("listed-twice.patch\nmissing.patch\n../outside.patch\nodd.diff\n")
    told = refused(project)
    for fault in (
        "listed-twice.patch: listed more than once",
        "unlisted.patch: not listed",
        "missing.patch: listed in series, but the file is missing",
        "../outside.patch: not a bare name",
        "odd.diff: not a bare name",
    ):
        assert fault in told


def test_new_files_that_collide_with_upstream_are_refused(project: Project, tmp_path: Path) -> None:
    project.new_file("src/app.txt", "mine")
    project.new_file("README.md/below", "a file in the place of a folder")
    project.new_file("backend/main.py2", "fine")
    (project.cfg.root / "patches" / "files" / "src" / "link").symlink_to(tmp_path)
    told = refused(project)
    assert "files/src/app.txt: upstream has that file" in told
    assert "files/README.md/below: README.md is a file upstream" in told
    assert "files/src/link: a link" in told
    assert "main.py2" not in told


def test_a_file_in_the_place_of_upstreams_folder_is_refused(project: Project) -> None:
    project.new_file("backend", "x")
    assert "files/backend: upstream has a folder of that name" in refused(project)


def test_pythons_caches_are_no_new_files(project: Project) -> None:
    project.new_file("backend/__pycache__/x.pyc", "x")
    assert check(project).new_files == ()
