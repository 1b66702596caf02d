"""The folder that vite builds in: what decides the pages is in it, and nothing around it does."""

from __future__ import annotations

import zipfile
from pathlib import Path

from scripts.building.files import copy_tree
from scripts.stages import frontend, outputs
from tests.scripts.tiny import Project


def test_the_folder_is_a_repository_of_its_own_with_upstreams_ignore_rules(project: Project) -> None:
    """Else Tailwind takes class names from wherever a repository around it, or none, lets it look."""
    cfg = project.cfg
    for name in frontend.SOURCES:
        place = cfg.stage("patch") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name == "src":
            (place / "lib" / "tee").mkdir(parents=True)
        else:
            place.write_text(name)
    copy_tree(Path(__file__), cfg.stage("web") / outputs.PAGES / outputs.VERIFIER)
    package = cfg.stage("nodemodules") / "node_modules" / "a" / "index.js"
    package.parent.mkdir(parents=True)
    package.write_text("x")
    with frontend._work(cfg) as work:
        assert (work / ".git").is_dir()
        assert (work / ".gitignore").read_text() == ".gitignore"
        assert package.samefile(work / "node_modules" / "a" / "index.js")
        assert (work / "src" / "lib" / "tee" / "verifier.js").is_file()
    assert not work.exists()


def test_pyodide_replaces_what_the_source_has(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("open_webui/frontend/pyodide/pyodide.js", "real")
        archive.writestr("open_webui/frontend/other.js", "other")
    out = tmp_path / "pyodide"
    out.mkdir()
    (out / "stale.json").write_text("")
    frontend.unpack_pyodide(wheel, out)
    assert [path.name for path in out.iterdir()] == ["pyodide.js"]
