from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from launcher.measure import verity


def test_the_argument_has_the_kernels_size() -> None:
    assert len(verity._ARGUMENT) == 128
    assert (1 << 30) | (128 << 16) | (ord("f") << 8) | 133 == verity.FS_IOC_ENABLE_VERITY


@pytest.mark.parametrize(
    ("number", "sealed"), [(None, True), (errno.EEXIST, True), (errno.EOPNOTSUPP, False), (errno.EPERM, False)]
)
def test_answers_of_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None, sealed: bool
) -> None:
    def ioctl(handle: int, request: int, argument: bytes) -> None:
        assert request == verity.FS_IOC_ENABLE_VERITY
        if number is not None:
            raise OSError(number, "")

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    (tmp_path / "blob").write_bytes(b"x")
    assert verity.seal(tmp_path / "blob") is sealed
    assert verity.seal_all([tmp_path / "blob", tmp_path / "absent"]) == int(sealed)
