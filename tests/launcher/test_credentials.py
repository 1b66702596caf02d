"""Secrets from systemd's credentials: settings like any others, and never two answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.credentials import with_credentials
from launcher.errors import SettingError


def test_a_credential_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "settings_OPENAI_API_KEY").write_text("sk-secret\n")
    (tmp_path / "somebody-elses").write_bytes(b"\xff\0")
    found = with_credentials({"PORT": "8443", "CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found == {"PORT": "8443", "OPENAI_API_KEY": "sk-secret"}


def test_an_old_systemd_hands_over_none_and_the_folder_itself_counts(tmp_path: Path) -> None:
    (tmp_path / "OPENAI_API_KEY").write_text("sk-secret\n")
    assert with_credentials({"SECRETS_FOLDER": str(tmp_path)}) == {"OPENAI_API_KEY": "sk-secret"}
    handed = tmp_path / "handed"
    handed.mkdir()
    assert with_credentials({"SECRETS_FOLDER": str(tmp_path), "CREDENTIALS_DIRECTORY": str(handed)}) == {}


def test_none_were_handed_over() -> None:
    assert with_credentials({"PORT": "8443"}) == {"PORT": "8443"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("PORT", b"80", "PORT is set in the environment and, otherwise, as a credential"),
        ("not a name", b"x", "names no setting"),
        ("KEY", b"\xff", "no text in UTF-8"),
        ("KEY", b"a\0b", "holds a zero byte"),
        ("KEY", b"x" * 70_000, "larger than 65536 bytes"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / f"settings_{name}").write_bytes(content)
    with pytest.raises(SettingError, match=sentence):
        with_credentials({"PORT": "8443", "CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_the_same_value_twice_is_no_contradiction(tmp_path: Path) -> None:
    (tmp_path / "settings_PORT").write_text("8443")
    assert with_credentials({"PORT": "8443", "CREDENTIALS_DIRECTORY": str(tmp_path)}) == {"PORT": "8443"}
