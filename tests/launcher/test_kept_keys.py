"""The door's keys lie in the encrypted data from one boot to the next, and never over those of an earlier one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from door.keeping import ACCOUNT, CERTIFICATE, KEY, Keep
from launcher.datadir import DataDir
from launcher.plan import settings
from launcher.plan.launch import Launch
from launcher.serve import kept_keys, tls_keys


@pytest.fixture
def keep() -> Iterator[int]:
    handle = os.memfd_create("door")
    yield handle
    os.close(handle)


def launch(folder: Path, tls: str = "self-signed") -> Launch:
    data = DataDir(folder, "boot", encrypted=True)
    data.kept.mkdir(exist_ok=True)
    environ = {"DATA_KEY": "unlock", "DATA_OWNER": "A" * 43, "DATA_DIR": str(folder), "TLS": tls}
    return Launch(folder, settings.load(environ), data, "tdx-simulated", {})


def test_what_the_door_keeps_is_there_at_the_next_boot(tmp_path: Path, keep: int) -> None:
    found = launch(tmp_path)
    keys = kept_keys.Keys(found, keep)
    keys.tend()
    assert kept_keys.read(found) == {}
    door = Keep(keep)
    door.put(KEY, "a key")
    keys.tend()
    assert kept_keys.read(found) == {KEY: "a key", ACCOUNT: "", CERTIFICATE: ""}
    assert found.data.door.stat().st_mode & 0o777 == 0o600
    door.put(CERTIFICATE, "a chain")
    keys.tend()
    assert kept_keys.read(found)[CERTIFICATE] == "a chain"


def test_this_boots_key_is_not_written_over_an_earlier_one(tmp_path: Path, keep: int) -> None:
    found = launch(tmp_path)
    found.data.door.write_text('{"tls-key": "an earlier key"}')
    door = Keep(keep)
    door.put(KEY, "this boot's")
    keys = kept_keys.Keys(found, keep)
    keys.tend()
    assert kept_keys.read(found) == {KEY: "an earlier key"}
    door.put(KEY, "an earlier key")
    door.put(ACCOUNT, "an account")
    keys.tend()
    assert kept_keys.read(found)[ACCOUNT] == "an account"


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_what_cannot_be_read_is_nothing(tmp_path: Path, text: str) -> None:
    found = launch(tmp_path)
    found.data.door.write_bytes(text.encode("latin-1"))
    assert kept_keys.read(found) == {}


def test_a_key_that_lies_in_the_data_is_not_said_to_be_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_keys, "_root_keeps", lambda: False)
    public = {"HOST": "0.0.0.0", "TLS": "self-signed", "ORIGIN": "https://chat.example", "DATA_DIR": str(tmp_path)}
    tls_keys.say_what_is_forgotten(settings.load(public))
    assert "Each launch draws a TLS key of its own" in capsys.readouterr().out
    tls_keys.say_what_is_forgotten(settings.load(public | {"DATA_KEY": "unlock", "DATA_OWNER": "A" * 43}))
    assert capsys.readouterr().out == ""


def test_without_a_drawn_key_nothing_is_kept(tmp_path: Path, keep: int) -> None:
    found = launch(tmp_path, "off")
    Keep(keep).put(KEY, "given")
    kept_keys.Keys(found, keep).tend()
    assert not found.data.door.exists() and kept_keys.read(found) == {}
