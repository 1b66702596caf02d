from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts.errors import MismatchError
from scripts.sources.archives import unpack
from tests.scripts.tiny import Project


def test_tar_and_zip_give_the_same_tree(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in project.tree.rglob("*"):
            archive.write(file, f"top/{file.relative_to(project.tree)}")
    from_zip, from_tar = unpack(path, tmp_path / "zip"), unpack(project.sdist, tmp_path / "tar")
    assert from_zip.name == "top"
    for name in ("src/app.txt", "run.sh"):
        assert (from_zip / name).read_bytes() == (from_tar / name).read_bytes() == (project.tree / name).read_bytes()
        assert (from_zip / name).stat().st_mode == (from_tar / name).stat().st_mode


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zipped:
        zipped.writestr(name, "x")
    for path in (tmp_path / "x.tar", tmp_path / "x.zip"):
        with pytest.raises(MismatchError, match="leads out"):
            unpack(path, tmp_path / "deep" / "out")
    assert not (tmp_path / "out.txt").exists()


def test_links_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        link = tarfile.TarInfo("top/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        member = tarfile.TarInfo("top/link/inside")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    tree = unpack(tmp_path / "x.tar", tmp_path / "out")
    assert (tree / "link" / "inside").read_text() == "x"
    assert not (tree / "link").is_symlink()


def test_half_an_archive_is_refused(project: Project, tmp_path: Path) -> None:
    half = tmp_path / "half.tar.gz"
    half.write_bytes(project.sdist.read_bytes()[:200])
    with pytest.raises(MismatchError, match="no whole tar or zip"):
        unpack(half, tmp_path / "out")
