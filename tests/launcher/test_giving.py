"""Root gives folders to the web server's account, and that account does its worst meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.errors import DataError
from launcher.plan.processes import User
from launcher.serve.giving import give

pytestmark = [
    pytest.mark.attack,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another account"),
]

USER = User("nobody", 65534, 65534)
OTHER = 12345


def owned(path: Path, uid: int = USER.uid) -> Path:
    os.chown(path, uid, uid, follow_symlinks=False)
    return path


@pytest.fixture
def tree(public_path: Path) -> Path:
    """A folder that is the account's already, with a file."""
    (public_path / "webui" / "uploads").mkdir(parents=True)
    (public_path / "webui" / "webui.db").write_text("")
    for path in (public_path / "webui", *(public_path / "webui").iterdir()):
        owned(path)
    return public_path / "webui"


def test_a_new_folder_is_given_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "new/deep").mkdir(parents=True)
    (tmp_path / "new/deep/file").write_text("")
    give(USER, tmp_path / "new")
    assert {path.stat().st_uid for path in (tmp_path / "new").rglob("*")} == {USER.uid}
    assert (tmp_path / "new").stat().st_uid == USER.uid


def test_an_interrupted_gift_is_finished(tmp_path: Path) -> None:
    (tmp_path / "new/given").mkdir(parents=True)
    owned(tmp_path / "new/given")
    (tmp_path / "new/left").write_text("")
    give(USER, tmp_path / "new")
    assert (tmp_path / "new/left").stat().st_uid == (tmp_path / "new").stat().st_uid == USER.uid


def test_a_linked_file_of_roots_in_the_accounts_folder_is_not_given(tree: Path, public_path: Path) -> None:
    (public_path / "shadow").write_text("root's")
    os.link(public_path / "shadow", tree / "uploads/x")
    with pytest.raises(DataError, match=r"uploads/x belongs to root"):
        give(USER, tree)
    assert (public_path / "shadow").stat().st_uid == 0


def test_a_linked_file_in_a_folder_of_the_launchers_is_not_given_either(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "shadow").write_text("root's")
    os.link(tmp_path / "shadow", tmp_path / "new/x")
    with pytest.raises(DataError, match="new/x"):
        give(USER, tmp_path / "new")
    assert (tmp_path / "shadow").stat().st_uid == 0


@pytest.mark.parametrize("name", ["", "uploads", "webui.db"])
def test_what_belongs_to_a_third_account_is_refused(tree: Path, name: str) -> None:
    owned(tree / name, OTHER)
    with pytest.raises(DataError, match=f"{OTHER}.*chown"):
        give(USER, tree)
    assert (tree / name).stat().st_uid == OTHER


def test_the_folder_itself_as_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "webui").symlink_to(tmp_path / "etc")
    with pytest.raises(DataError):
        give(USER, tmp_path / "webui")
    assert (tmp_path / "etc").stat().st_uid == 0


EXCHANGE = """
import contextlib, os, sys
os.setgid(65534); os.setuid(65534); os.chdir(sys.argv[1])
print("begun", flush=True)
while True:
    for step in (
        lambda: os.rename("uploads", "away"), lambda: os.symlink(sys.argv[2], "uploads"),
        lambda: os.unlink("uploads"), lambda: os.rename("away", "uploads"),
    ):
        with contextlib.suppress(OSError):
            step()
"""


@contextmanager
def exchanging(tree: Path, secret: Path) -> Iterator[None]:
    """Meanwhile the account makes `uploads` a link to `secret` and a folder again, as fast as it goes."""
    words = [sys.executable, "-I", "-S", "-c", EXCHANGE, str(tree), str(secret)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_race_with_links_gains_nothing(tree: Path, public_path: Path) -> None:
    secret = public_path / "secret"
    secret.mkdir()
    for number in range(100):
        (secret / f"{number}").write_text("root's")
        (tree / "uploads" / f"{number}").write_text("")
        owned(tree / "uploads" / f"{number}")

    with exchanging(tree, secret):
        for _ in range(400):
            with suppress(DataError):
                give(USER, tree)
    assert {path.stat().st_uid for path in (secret, *secret.iterdir())} == {0}


def test_a_data_folder_of_somebody_elses_is_refused_to_root(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    owned(tmp_path / "data", OTHER)
    with pytest.raises(DataError, match=f"uid {OTHER}"):
        DataDir(tmp_path / "data", "boot").prepare()
