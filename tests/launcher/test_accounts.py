from __future__ import annotations

import os
from pathlib import Path

import pytest

from launcher.errors import SettingError, UnavailableError
from launcher.serve import accounts
from launcher.serve.giving import give

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change accounts")


@root_only
def test_root_gives_up_its_rights(tmp_path: Path) -> None:
    user, notice = accounts.choose("", True, [Path("/usr/bin/env"), Path("/tmp")])
    assert user is not None and user.uid != 0 and notice == ""


@root_only
def test_what_it_cannot_read_is_refused_on_real_tdx_and_said_in_a_simulation(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    target = tmp_path / "private" / "release"
    target.mkdir()
    with pytest.raises(UnavailableError, match="private"):
        accounts.choose("", True, [target])
    user, notice = accounts.choose("", False, [target])
    assert user is None and "runs as root" in notice


@root_only
@pytest.mark.parametrize("name", ["no-such-account", "4294967296"])
def test_an_unknown_account(name: str) -> None:
    with pytest.raises(SettingError, match=name):
        accounts.choose(name, True, [])


@root_only
def test_root_on_purpose_is_said() -> None:
    assert accounts.choose("root", True, []) == (
        None,
        "RUN_AS=root: the web server runs as root and can reach the TDX device.",
    )


@root_only
def test_giving_a_folder_does_not_follow_links(tmp_path: Path) -> None:
    user = accounts._lookup("nobody")
    assert user is not None
    (tmp_path / "outside").write_text("")
    (tmp_path / "data/sub").mkdir(parents=True)
    (tmp_path / "data/sub/link").symlink_to(tmp_path / "outside")
    give(user, tmp_path / "data")
    assert (tmp_path / "data/sub").stat().st_uid == user.uid
    assert (tmp_path / "outside").stat().st_uid == 0


@root_only
@pytest.mark.attack
def test_ollama_gets_an_account_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(accounts, "OLLAMA_ACCOUNTS", ("no-such-account", "nobody"))
    user = accounts.for_ollama(True, [Path("/usr/bin/env")])
    assert user is not None and user.name == "nobody"
    (tmp_path / "private").mkdir(mode=0o700)
    for names, needs in ((("nobody",), [tmp_path / "private"]), (("no-such-account",), [])):
        monkeypatch.setattr(accounts, "OLLAMA_ACCOUNTS", names)
        with pytest.raises(UnavailableError, match="must not run as root.*useradd"):
            accounts.for_ollama(True, needs)
        assert accounts.for_ollama(False, needs) is None


def test_without_root_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert accounts.choose("", True, []) == (None, "")
    with pytest.raises(SettingError, match="RUN_AS"):
        accounts.choose("nobody", True, [])
