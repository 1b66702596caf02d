"""The archive's bytes follow from the content alone."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

from scripts.release import archive


def make(folder: Path, order: list[str]) -> bytes:
    for name in order:
        path = folder / "release-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        path.chmod(0o700 if name == "start" else 0o600)
        os.utime(path, (1, 1000 * order.index(name)))  # other times for another order
    out = io.BytesIO()
    archive.write_tar(folder / "release-1", out)
    return out.getvalue()


def test_order_times_and_rights_of_the_person_do_not_show(tmp_path: Path) -> None:
    names = ["start", "b/deep/file", "b.txt", "a" * 120, "ä"]
    first = make(tmp_path / "one", names)
    previous = os.umask(0o077)
    try:
        second = make(tmp_path / "two", names[::-1])
    finally:
        os.umask(previous)
    assert first == second


def test_it_unpacks_to_what_went_in(tmp_path: Path) -> None:
    content = make(tmp_path, ["start", "b/deep/file"])
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        members = {member.name: member for member in opened}
        assert set(members) == {
            "release-1",
            "release-1/b",
            "release-1/b/deep",
            "release-1/b/deep/file",
            "release-1/start",
        }
        assert members["release-1/start"].mode == 0o755
        assert members["release-1/b/deep/file"].mode == 0o644
        assert {(member.uid, member.gid, member.uname, member.gname) for member in members.values()} == {(0, 0, "", "")}
        file = opened.extractfile("release-1/b/deep/file")
        assert file is not None
        assert file.read() == b"b/deep/file"
