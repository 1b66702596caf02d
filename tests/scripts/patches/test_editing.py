from __future__ import annotations

import shutil

import pytest

from scripts.building import stage
from scripts.errors import PatchError, UsageError
from scripts.patches import editing
from tests.scripts.tiny import HEADER, Project, line_patch

pytestmark = pytest.mark.slow  # each test makes a repository


@pytest.fixture
def fetched(project: Project) -> Project:
    (project.cfg.cache / "files").mkdir(parents=True)
    shutil.copy(project.sdist, project.cfg.cache / "files")
    project.patch("a.patch", line_patch(5, "five"))
    project.patch("b.patch", line_patch(20, "twenty"))
    stage.ensure(project.cfg, "fetch")
    return project


def test_a_patch_is_edited_and_keeps_its_header(fetched: Project) -> None:
    editing.begin(fetched.cfg, "a.patch")
    file = editing.tree(fetched.cfg) / "src" / "app.txt"
    assert "five\n" in file.read_text()
    assert "twenty\n" not in file.read_text()  # b.patch comes later
    file.write_text(file.read_text().replace("five\n", "FIVE\n"))
    editing.finish(fetched.cfg, "a.patch")
    text = (fetched.cfg.root / "patches" / "a.patch").read_text()
    assert text.startswith(HEADER)
    assert "+FIVE\n" in text
    stage.ensure(fetched.cfg, "patch")
    result = (fetched.cfg.stage("patch") / "src" / "app.txt").read_text()
    assert "FIVE\n" in result
    assert "twenty\n" in result


def test_refreshing_without_a_change_changes_only_the_form(fetched: Project) -> None:
    stage.ensure(fetched.cfg, "patch")
    before = stage.output_digest(fetched.cfg, stage.Output("patch"))
    editing.begin(fetched.cfg, "b.patch")
    editing.finish(fetched.cfg, "b.patch")
    stage.ensure(fetched.cfg, "patch")
    assert stage.output_digest(fetched.cfg, stage.Output("patch")) == before


def test_a_new_patch_starts_at_the_end_of_the_series(fetched: Project) -> None:
    editing.begin(fetched.cfg, "c.patch")
    file = editing.tree(fetched.cfg) / "README.md"
    file.write_text("Upstream, patched\n")
    editing.finish(fetched.cfg, "c.patch")
    assert (fetched.cfg.root / "patches" / "series").read_text().endswith("b.patch\nc.patch\n")
    stage.ensure(fetched.cfg, "patch")
    assert (fetched.cfg.stage("patch") / "README.md").read_text() == "Upstream, patched\n"


def test_what_no_longer_fits_is_left_to_the_person(fetched: Project) -> None:
    fetched.patch("c.patch", line_patch(25, "x", expected="line twenty-five"))
    assert "to do by hand: src/app.txt: hunk #1" in editing.begin(fetched.cfg, "c.patch")


def test_mistakes_are_told(fetched: Project) -> None:
    with pytest.raises(UsageError, match="not a bare name"):
        editing.begin(fetched.cfg, "../x.patch")
    with pytest.raises(UsageError, match="was not opened for a.patch"):
        editing.finish(fetched.cfg, "a.patch")
    editing.begin(fetched.cfg, "new.patch")
    with pytest.raises(PatchError, match="Nothing differs"):
        editing.finish(fetched.cfg, "new.patch")
