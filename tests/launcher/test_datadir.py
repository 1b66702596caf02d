from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.errors import DataError


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    found = DataDir(tmp_path / "var", "boot-1")
    found.prepare()
    return found


def test_the_secret_is_strong_private_and_stable(data: DataDir) -> None:
    key = data.secret_key("offer")
    assert key == data.secret_key("offer") and len(key) == 64
    assert stat.S_IMODE((data.root / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in data.root.glob(".secret*")] == []
    other = DataDir(data.root.with_name("other"), "boot-1")
    other.prepare()
    assert other.secret_key("offer") != key


@pytest.mark.attack
def test_where_the_channel_is_required_no_session_of_before_is_one(data: DataDir) -> None:
    before = data.secret_key("offer")
    required = data.secret_key("require")
    assert required != before and required == data.secret_key("require")
    assert data.secret_key("off") == before
    assert stat.S_IMODE((data.root / "secret_key_inside").stat().st_mode) == 0o600


@pytest.mark.parametrize(("content", "mode", "words"), [("x" * 64, 0o644, "chmod 600"), ("short", 0o600, "too short")])
def test_a_bad_secret_is_refused_not_replaced(data: DataDir, content: str, mode: int, words: str) -> None:
    path = data.root / "secret_key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(DataError, match=words):
        data.secret_key("offer")
    assert path.read_text() == content


def test_a_linked_secret_is_refused(data: DataDir, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x" * 64)
    (data.root / "secret_key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="symbolic link"):
        data.secret_key("offer")


def test_one_launcher_at_a_time(data: DataDir) -> None:
    with data.locked(), pytest.raises(DataError, match=f"process {os.getpid()}"), data.locked():
        pass
    with data.locked():
        pass


def test_bytecode_of_an_earlier_boot_goes(data: DataDir) -> None:
    data.bytecode("web").mkdir(parents=True)
    later = DataDir(data.root, "boot-2")
    later.prepare()
    assert not data.bytecode("web").exists()
    later.bytecode("web").mkdir(parents=True)
    later.prepare()
    assert later.bytecode("web").exists()
    assert data.bytecode("web") != data.bytecode("attester")
    assert data.bytecode("web") != replace(data, release="another").bytecode("web")


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("mine")
    with pytest.raises(DataError, match="DATA_DIR"):
        DataDir(tmp_path / "var", "boot").prepare()
    assert (tmp_path / "var").read_text() == "mine"


def test_a_full_disk(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.datadir.MIN_FREE_BYTES", 2**60)
    with pytest.raises(DataError, match="MiB are free"):
        data.prepare()


def test_a_read_only_folder(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(30, "Read-only file system", str(data.root))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(DataError, match="read-only"):
        data.prepare()
