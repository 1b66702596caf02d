from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import UsageError
from scripts.patches.porting import report
from tests.scripts.tiny import Project, line_patch


def test_each_patch_and_hunk_is_reported(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.patch("fits.patch", line_patch(5, "five"))
    project.patch("broken.patch", line_patch(20, "twenty"))
    project.patch("gone.patch", line_patch(5, "x").replace("src/app.txt", "README.md"))
    project.new_file("src/new.txt", "new\n")
    (project.tree / "README.md").unlink()
    (project.tree / "src" / "new.txt").write_text("upstream's own\n")
    app = project.tree / "src" / "app.txt"
    app.write_text("inserted\n" + app.read_text().replace("line 20\n", "line XX\n"))
    assert not report(project.cfg, project.tree)
    told = capsys.readouterr().out
    assert "fits.patch: fits\n    src/app.txt: hunk #1 fits 1 line(s) away" in told
    assert "broken.patch: does not fit\n    src/app.txt: hunk #1 does not fit" in told
    assert "gone.patch: does not fit\n    README.md: there is no such file" in told
    assert "files/src/new.txt: that version has a file of its own there" in told
    assert "line 20" not in app.read_text()
    assert "five" not in app.read_text()  # a copy was patched, not the checkout


def test_a_version_that_takes_everything(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.patch("fits.patch", line_patch(5, "five"))
    assert report(project.cfg, project.sdist)
    assert "The whole queue fits." in capsys.readouterr().out


def test_a_source_that_is_not_there(project: Project) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        report(project.cfg, Path("/no/such/place"))
