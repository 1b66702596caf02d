"""Plain data becomes encrypted: killed at every step it loses nothing, and goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.errors import DataError
from launcher.serve.copying import PARTIAL, Copying
from launcher.serve.taking_over import take_over
from tests.killing import killed

FILES = {
    "webui/webui.db": b"chats" * 1000,
    "webui/uploads/a picture.png": b"\x89PNG",
    "webui/uploads/empty": b"",
    "webui/vector_db/" + "x" * 200 + "/data.bin": bytes(3 << 20),
    "secret_key": b"a secret that signs sessions, long enough\n",
    "secret_key_inside": b"another one, of what is inside the channel\n",
}


def plain(root: Path) -> DataDir:
    """A data folder with plain data, whose encrypted folder is open: here it is an ordinary one."""
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / "webui/cache").mkdir()
    (root / "webui/link").symlink_to("../secret_key")
    (root / "webui/uploads/empty").chmod(0o640)
    data = DataDir(root, "boot", encrypted=True, taking_over=True)
    data.kept.mkdir()
    data.begun.touch()
    return data


def nothing_is_lost(data: DataDir) -> None:
    for name, content in FILES.items():
        places = [path.read_bytes() for path in (data.root / name, data.kept / name) if path.exists()]
        assert content in places, name


def all_is_over(data: DataDir) -> None:
    assert not data.has_plain() and not (data.root / "webui").exists() and not data.begun.exists()
    for name, content in FILES.items():
        assert (data.kept / name).read_bytes() == content, name
    assert (data.kept / "webui/cache").is_dir()
    assert str((data.kept / "webui/link").readlink()) == "../secret_key"
    assert (data.kept / "webui/uploads/empty").stat().st_mode & 0o777 == 0o640
    assert not list(data.kept.rglob(PARTIAL))


def test_it_is_there_and_gone_in_plain_text(tmp_path: Path) -> None:
    data = plain(tmp_path)
    take_over(data, lambda: None)
    all_is_over(data)


@pytest.mark.slow
@pytest.mark.attack
def test_killed_before_any_change_it_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    step = 0
    while True:
        data = plain(tmp_path / str(step))
        if not killed(step, lambda data=data: take_over(data, lambda: None)):  # type: ignore[misc]
            break
        nothing_is_lost(data)
        whole = all((data.kept / name).exists() for name in FILES)
        assert data.has_plain() or whole, "no service starts on half of it"
        killed(step, lambda data=data: take_over(data, lambda: None))  # type: ignore[misc]
        nothing_is_lost(data)
        take_over(data, lambda: None)
        all_is_over(data)
        step += 1
    all_is_over(data)
    assert step > 40


def test_stopped_in_the_middle_of_a_file_it_goes_on(tmp_path: Path) -> None:
    data, asked = plain(tmp_path), 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_over(data, check)
    nothing_is_lost(data)
    take_over(data, lambda: None)
    all_is_over(data)


@pytest.mark.attack
def test_what_changed_after_it_was_copied_is_not_removed(tmp_path: Path) -> None:
    data = plain(tmp_path)
    copying = Copying()
    data.webui.mkdir()
    copying.copy(data.root / "webui", data.webui)
    (data.root / "webui/webui.db").write_bytes(b"written meanwhile")
    with pytest.raises(DataError, match=r"webui\.db is not what was copied of it"):
        copying.take(data.root / "webui", data.webui)
    assert (data.root / "webui/webui.db").read_bytes() == b"written meanwhile"


@pytest.mark.attack
def test_a_folder_that_became_a_link_leads_nowhere(tmp_path: Path) -> None:
    data = plain(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/theirs").write_text("not the service's")
    (data.root / "webui/out").symlink_to(tmp_path / "elsewhere")
    take_over(data, lambda: None)
    assert (tmp_path / "elsewhere/theirs").exists() and (data.kept / "webui/out").is_symlink()


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    data = plain(tmp_path)
    os.mkfifo(data.root / "webui/pipe")
    with pytest.raises(DataError, match="webui/pipe is neither a file, a folder nor a link"):
        take_over(data, lambda: None)
    nothing_is_lost(data)


def test_an_exact_copy_has_nothing_more(tmp_path: Path) -> None:
    data = plain(tmp_path)
    (data.kept / "stale/inner").mkdir(parents=True)
    (data.kept / "stale/inner/file").write_text("of an earlier attempt")
    (data.kept / "webui").write_text("a file where a folder belongs")
    source = tmp_path / "source"
    (tmp_path / "webui").rename(source)
    Copying(exact=True).copy(source, data.kept)
    assert {path.name for path in data.kept.iterdir()} == {path.name for path in source.iterdir()}


def test_plain_data_is_started_on_only_to_take_it_over(tmp_path: Path) -> None:
    data = plain(tmp_path)
    with pytest.raises(DataError, match="open-webui-tdx encrypt-data"):
        DataDir(tmp_path, "boot", encrypted=True).prepare()
    data.prepare()
    take_over(data, lambda: None)
    DataDir(tmp_path, "boot", encrypted=True).prepare()
    with pytest.raises(DataError, match="no data in plain text that could be taken over"):
        data.prepare()
