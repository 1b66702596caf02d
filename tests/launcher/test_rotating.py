"""Another key for the same data, with gocryptfs itself: at once, or by a copy that goes on after a kill."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.errors import Stopped
from launcher.serve import mounts
from launcher.serve.locked_data import left_closed
from launcher.serve.rotating import rotate, settle
from launcher.serve.vault import CONFIG, Vault, VaultError
from tests.killing import killed
from tests.launcher.test_vault import KEY, OTHER, WORDS, close, texts, vault

__all__ = ["vault"]
pytestmark = pytest.mark.slow
NEW = bytes(range(1, 33))


def written(vault: Vault) -> None:
    vault.create(KEY)
    vault.open(KEY, 0)
    kept = vault.launch.data.kept
    (kept / "webui").mkdir()
    (kept / "webui/a long chat.txt").write_text(WORDS * 1000)
    (kept / "secret_key").write_text("a secret")
    close(vault)


def opens_with(vault: Vault, key: bytes, generation: int) -> None:
    data = vault.launch.data
    assert vault.open(key, generation - 1) == generation
    assert (data.kept / "webui/a long chat.txt").read_text() == WORDS * 1000
    assert (data.kept / "secret_key").read_text() == "a secret"
    close(vault)


@pytest.mark.parametrize("full", [False, True], ids=["wrapped", "copied"])
def test_only_the_new_key_opens_it(vault: Vault, full: bool) -> None:
    written(vault)
    rotate(vault, KEY, NEW, 1, full)
    with pytest.raises(VaultError, match="This key does not open the data"):
        vault.open(KEY, 0)
    opens_with(vault, NEW, 2)
    assert {path.name for path in vault.launch.data.root.iterdir() if path.name.startswith("encrypted")} == {
        "encrypted"
    }
    assert KEY.hex().encode() not in texts(vault.launch.data.root)


@pytest.mark.attack
@pytest.mark.parametrize("full", [False, True], ids=["wrapped", "copied"])
def test_who_kept_the_old_configuration_and_its_key(vault: Vault, full: bool) -> None:
    """Wrapping does not help against them, as the documents say; a copy does."""
    written(vault)
    cipher = vault.launch.data.cipher
    kept = (cipher / CONFIG).read_bytes()
    rotate(vault, KEY, NEW, 0, full)
    (cipher / CONFIG).chmod(0o600)
    (cipher / CONFIG).write_bytes(kept)
    if not full:
        opens_with(vault, KEY, 2)
        return
    with pytest.raises(VaultError, match=r"damaged|gocryptfs did not open"):
        vault.open(KEY, 0)


def test_asked_again_it_is_done_already(vault: Vault) -> None:
    """The owner did not hear of it, and asks with the same two keys."""
    written(vault)
    rotate(vault, KEY, NEW, 0, False)
    rotate(vault, KEY, NEW, 0, False)
    opens_with(vault, NEW, 2)
    with pytest.raises(VaultError, match="This key does not open the data"):
        rotate(vault, KEY, OTHER, 0, False)


@pytest.mark.attack
@pytest.mark.parametrize("full", [False, True], ids=["wrapped", "copied"])
def test_an_older_state_gets_no_new_key(vault: Vault, full: bool) -> None:
    written(vault)
    with pytest.raises(VaultError, match="opened 1 times, and at least 2 were expected"):
        rotate(vault, KEY, NEW, 2, full)
    opens_with(vault, KEY, 2)


@pytest.mark.attack
@pytest.mark.parametrize("full", [False, True], ids=["wrapped", "copied"])
def test_killed_before_any_rename_it_loses_nothing_and_goes_on(vault: Vault, full: bool) -> None:
    written(vault)
    data = vault.launch.data
    before = data.root.with_name("before")
    shutil.copytree(data.root, before)
    step = 0
    while _killed(vault, step, lambda own: rotate(own, KEY, NEW, 1, full)):
        settle(data)
        with left_closed(data):
            rotate(vault, KEY, NEW, 1, full)
            opens_with(vault, NEW, 2)
        shutil.rmtree(data.root)
        shutil.copytree(before, data.root)
        step += 1
    opens_with(vault, NEW, 2)
    assert step >= (5 if full else 1)


def _killed(vault: Vault, step: int, work: Callable[[Vault], object]) -> bool:
    def own() -> None:
        work(replace(vault, launch=replace(vault.launch, pid=os.getpid())))

    found = killed(step, own, frozenset({"os.rename"}))
    for place in (vault.launch.data.kept, vault.launch.data.before):
        mounts.clear(place)
    return found


def test_a_copy_that_was_stopped_goes_on_with_what_changed_meanwhile(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(vault)
    data = vault.launch.data

    def stop() -> None:
        raise Stopped

    stopping = replace(vault)
    monkeypatch.setattr(vault.supervisor, "check", stop)
    with pytest.raises(Stopped):
        rotate(stopping, KEY, NEW, 1, True)
    monkeypatch.undo()
    assert data.next_cipher.exists()
    assert vault.open(KEY, 1) == 2
    (data.kept / "webui/a second chat.txt").write_text(WORDS)
    (data.kept / "secret_key").unlink()
    close(vault)
    rotate(vault, KEY, NEW, 2, True)
    assert vault.open(NEW, 2) == 3
    assert (data.kept / "webui/a second chat.txt").read_text() == WORDS and not (data.kept / "secret_key").exists()


def test_a_copy_under_yet_another_key_begins_anew(vault: Vault) -> None:
    written(vault)
    vault.make(vault.launch.data.next_cipher, OTHER)
    rotate(vault, KEY, NEW, 1, True)
    opens_with(vault, NEW, 2)


def test_a_kill_between_the_two_renames_leaves_the_copy(vault: Vault) -> None:
    written(vault)
    data = vault.launch.data
    rotate(vault, KEY, NEW, 1, True)
    data.cipher.rename(data.next_cipher)
    data.old_cipher.mkdir()
    settle(data)
    opens_with(vault, NEW, 2)
    assert not data.old_cipher.exists()


def test_gocryptfs_alone_leaves_no_trace_of_a_wrapping_that_failed(vault: Vault) -> None:
    written(vault)
    with pytest.raises(VaultError, match="This key does not open"):
        vault.wrap(OTHER, NEW)
    assert not list(Path(vault.launch.data.root).glob("encrypted.*"))
    opens_with(vault, KEY, 2)
