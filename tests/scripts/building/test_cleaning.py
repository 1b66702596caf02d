from __future__ import annotations

from pathlib import Path

import pytest

from scripts.building.cleaning import clean
from scripts.errors import UsageError
from tests.scripts.tiny import Project


def fill(*folders: Path) -> None:
    for folder in folders:
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_text("x")


def test_build_and_dist_go_and_the_rest_stays(project: Project) -> None:
    cfg = project.cfg
    fill(cfg.build, cfg.dist, cfg.cache, cfg.var)
    (cfg.dist / "deep").chmod(0o500)
    clean(cfg)
    assert not cfg.build.exists()
    assert not cfg.dist.exists()
    assert (cfg.cache / "deep" / "file").exists()
    assert (cfg.var / "deep" / "file").exists()
    clean(cfg)


@pytest.mark.parametrize("name", ["var", "cache", "root"])
def test_what_is_precious_is_never_inside(project: Project, name: str) -> None:
    inside = project.cfg.build / "inside"
    fill(project.cfg.build, inside)
    with pytest.raises(UsageError, match="nothing was deleted"):
        clean(project.with_(**{name: inside}))
    assert (inside / "deep" / "file").exists()
