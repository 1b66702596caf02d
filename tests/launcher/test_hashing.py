from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from launcher.errors import Stopped
from launcher.measure import hashing


@pytest.mark.parametrize("size", [0, 1, hashing.CHUNK - 1, hashing.CHUNK, 3 * hashing.CHUNK + 7])
def test_a_file_of_any_size(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    seen: list[int] = []
    found = hashing.digest_file(tmp_path / "file", "sha384", seen.append)
    assert found == hashing.Digest(hashlib.sha384(content).hexdigest(), size)
    assert sum(seen) == size


def test_many_files_and_their_errors(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).write_bytes(bytes([number]) * number)
    (tmp_path / "link").symlink_to("1")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    names = [*map(str, range(50)), "link", "folder", "pipe", "absent"]
    found = hashing.digest_files([tmp_path / name for name in names], "sha256")
    assert set(found) == {tmp_path / name for name in names}
    for number in range(50):
        assert found[tmp_path / str(number)] == hashing.Digest(
            hashlib.sha256(bytes([number]) * number).hexdigest(), number
        )
    assert all(isinstance(found[tmp_path / name], OSError) for name in ("link", "folder", "pipe", "absent"))


def test_a_signal_ends_it(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(200)]
    for path in paths:
        path.write_bytes(b"x")
    seen = 0

    def tick(count: int) -> None:
        nonlocal seen
        seen += 1
        if seen > 5:
            raise Stopped

    with pytest.raises(Stopped):
        hashing.digest_files(paths, "sha256", tick)
    assert seen < 100
