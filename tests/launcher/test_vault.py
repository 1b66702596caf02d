"""The encrypted folder: gocryptfs itself, with what the host, a wrong key and a kill do to it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.errors import DataError
from launcher.measure import encryption
from launcher.plan import settings
from launcher.plan.launch import Launch
from launcher.serve import mounts
from launcher.serve.locked_data import damage, left_closed
from launcher.serve.supervisor import Supervisor
from launcher.serve.vault import Vault, VaultError, checked_config

ROOT = Path(__file__).resolve().parents[2]
KEY, OTHER = bytes(range(32)), bytes(32)
OWNER = "Gb8jfLJNrVqR8EB3SRo-aKaBXv2NjGL40zHzUQ3ZpqM"
WORDS = "what somebody wrote"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    data = DataDir(tmp_path / "data", "boot", encrypted=True)
    data.prepare()
    chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATA_DIR": str(data.root)})
    launch = Launch(ROOT, chosen, data, "tdx-simulated", {}, sys.executable, os.getpid())
    supervisor = Supervisor(data.logs)
    yield Vault(launch, encryption.measure().path, supervisor)
    supervisor.stop()
    mounts.clear(data.kept)


def close(vault: Vault) -> None:
    vault.supervisor.stop()
    assert mounts.kinds(vault.launch.data.kept) == []


def texts(folder: Path) -> bytes:
    return b"".join(path.read_bytes() + bytes(path) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_what_is_written_is_there_again_and_readable_nowhere_else(vault: Vault) -> None:
    data = vault.launch.data
    vault.create(KEY)
    assert vault.open(KEY, 0) == 1
    (data.kept / "named-by-somebody.txt").write_text(WORDS)
    close(vault)
    assert list(data.kept.iterdir()) == []
    lying = texts(data.root)
    assert WORDS.encode() not in lying and b"named-by-somebody" not in lying
    assert KEY.hex().encode() not in lying
    assert vault.open(KEY, 1) == 2
    assert (data.kept / "named-by-somebody.txt").read_text() == WORDS


@pytest.mark.slow
@pytest.mark.attack
def test_the_key_is_in_no_argument_environment_or_log(vault: Vault) -> None:
    vault.create(KEY)
    vault.open(KEY, 0)
    (child,) = vault.supervisor.children
    place = Path(f"/proc/{child.process.pid}")
    for name in ("cmdline", "environ"):
        assert KEY.hex().encode() not in (place / name).read_bytes()
    assert KEY.hex() not in child.tail()


@pytest.mark.attack
def test_an_empty_disk_is_not_opened(vault: Vault) -> None:
    with pytest.raises(VaultError, match="There is no encrypted data"):
        vault.open(KEY, 0)
    assert not vault.launch.data.cipher.exists()


@pytest.mark.slow
def test_what_is_there_is_not_made_anew(vault: Vault) -> None:
    vault.create(KEY)
    with pytest.raises(VaultError, match="There is encrypted data at .* already"):
        vault.create(OTHER)
    assert vault.open(KEY, 0) == 1


@pytest.mark.slow
def test_what_a_kill_left_of_a_new_folder_is_in_nobodys_way(vault: Vault) -> None:
    left = vault.launch.data.root / "encrypted.new"
    left.mkdir()
    (left / "gocryptfs.conf").write_text("half")
    vault.create(KEY)
    assert not left.exists() and vault.open(KEY, 0) == 1


@pytest.mark.slow
def test_another_key_opens_nothing(vault: Vault) -> None:
    vault.create(KEY)
    with pytest.raises(VaultError, match="This key does not open the data"):
        vault.open(OTHER, 0)
    assert mounts.kinds(vault.launch.data.kept) == [] and not vault.supervisor.children
    assert vault.open(KEY, 0) == 1


@pytest.mark.slow
@pytest.mark.attack
def test_an_earlier_state_of_the_disk_is_not_opened(vault: Vault) -> None:
    vault.create(KEY)
    vault.open(KEY, 0)
    close(vault)
    before = texts(vault.launch.data.cipher)
    with pytest.raises(VaultError, match="opened 1 times, and at least 2 were expected") as refused:
        vault.open(KEY, 2)
    assert refused.value.generation == 1
    assert texts(vault.launch.data.cipher) == before, "nothing is written before the count was compared"
    assert vault.open(KEY, 1) == 2


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize(
    "change",
    [
        {"FeatureFlags": ["HKDF", "GCMIV128", "PlaintextNames"]},
        {"FeatureFlags": ["GCMIV128", "DirIV", "EMENames", "LongNames", "Raw64"]},
        {"Version": 1},
        {"ScryptObject": {"Salt": "", "N": 1 << 28, "R": 8, "P": 1, "KeyLen": 32}},
        {"FeatureFlags": 7},
    ],
    ids=["plain-names", "no-hkdf", "version", "costly", "odd"],
)
def test_the_disk_does_not_choose_how_it_is_encrypted(vault: Vault, change: dict[str, object]) -> None:
    vault.create(KEY)
    config = vault.launch.data.cipher / "gocryptfs.conf"
    text = json.loads(config.read_text())
    config.chmod(0o600)
    config.write_text(json.dumps(text | change))
    with pytest.raises(VaultError, match=r"another way of encrypting|no configuration"):
        vault.open(KEY, 0)
    config.write_text(json.dumps(text))
    assert json.loads(checked_config(config)) == text and vault.open(KEY, 0) == 1


@pytest.mark.slow
def test_a_damaged_file_is_refused_by_its_name_on_the_disk_and_the_others_are_read(
    vault: Vault, capsys: pytest.CaptureFixture[str]
) -> None:
    data = vault.launch.data
    vault.create(KEY)
    vault.open(KEY, 0)
    before = set(data.cipher.iterdir())
    (data.kept / "one.txt").write_text(WORDS)
    (one,) = set(data.cipher.iterdir()) - before
    (data.kept / "two.txt").write_text(WORDS)
    close(vault)
    raw = bytearray(one.read_bytes())
    raw[-1] ^= 1
    one.write_bytes(raw)
    vault.open(KEY, 0)
    with pytest.raises(OSError) as refused:
        (data.kept / "one.txt").read_text()
    assert refused.value.errno == errno.EIO
    assert (data.kept / "two.txt").read_text() == WORDS
    following = damage(data, vault.supervisor)
    for _ in range(2):
        following.tend()
    said = capsys.readouterr().out
    assert said.count("NOTICE") == 1 and f"{one} is damaged" in said and "one.txt" not in said


@pytest.mark.slow
def test_a_lost_counter_is_damage(vault: Vault) -> None:
    vault.create(KEY)
    for path in vault.launch.data.cipher.iterdir():
        if not path.name.startswith("gocryptfs."):
            path.unlink()
    with pytest.raises(VaultError, match="its counter cannot be read"):
        vault.open(KEY, 0)


@pytest.mark.slow
def test_the_next_launch_clears_what_a_killed_one_left(vault: Vault) -> None:
    data = vault.launch.data
    vault.create(KEY)
    vault.open(KEY, 0)
    (child,) = vault.supervisor.children
    child.process.send_signal(signal.SIGKILL)
    child.process.wait()
    vault.supervisor.children.clear()
    assert mounts.kinds(data.kept) == [mounts.KIND], "a kill leaves a dead mount"
    with pytest.raises(OSError):
        list(data.kept.iterdir())
    with left_closed(data):
        assert mounts.kinds(data.kept) == []
        data.prepare()
        assert vault.open(KEY, 1) == 2
        vault.supervisor.stop()
    assert mounts.kinds(data.kept) == []


def test_plain_data_is_not_taken_for_encrypted_nor_the_other_way_round(tmp_path: Path) -> None:
    plain = DataDir(tmp_path / "plain", "boot")
    plain.prepare()
    (plain.webui / "webui.db").write_text("chats")
    with pytest.raises(DataError, match="holds data in plain text"):
        DataDir(tmp_path / "plain", "boot", encrypted=True).prepare()
    encrypted = DataDir(tmp_path / "encrypted", "boot", encrypted=True)
    encrypted.prepare()
    encrypted.cipher.mkdir()
    with pytest.raises(DataError, match="holds encrypted data: set DATA_KEY=unlock"):
        DataDir(tmp_path / "encrypted", "boot").prepare()


@pytest.fixture
def small(vault: Vault) -> Iterator[Vault]:
    """On a small disk, which root alone can make."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    root = vault.launch.data.root
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", root], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this machine does not let us mount a small file system")
    try:
        for folder in (vault.launch.data.kept, vault.launch.data.run, vault.launch.data.logs):
            folder.mkdir(exist_ok=True)
        yield vault
        vault.supervisor.stop()
        mounts.clear(vault.launch.data.kept)
    finally:
        subprocess.run(["umount", "-l", root], check=True)


def fill(vault: Vault) -> Path:
    filler = vault.launch.data.root / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@pytest.mark.slow
def test_on_a_full_disk_nothing_is_made_or_opened_and_it_says_so(small: Vault) -> None:
    data = small.launch.data
    fill(small)
    with pytest.raises((VaultError, DataError), match=r"disk is full|no space left on device"):
        small.create(KEY)
    assert not data.cipher.exists()
    (data.root / "filler").unlink()
    small.create(KEY)
    filler = fill(small)
    for _ in range(2):
        with pytest.raises((VaultError, DataError), match=r"disk is full|no space left on device"):
            small.open(KEY, 0)
        assert mounts.kinds(data.kept) == [] and not small.supervisor.children
    filler.unlink()
    assert small.open(KEY, 0) == 1


@pytest.mark.slow
def test_an_opening_that_cannot_be_counted_is_none(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.create(KEY)

    def full(self: Vault, count: int) -> None:
        raise DataError("Cannot write the data's counter: the disk is full.")

    monkeypatch.setattr(Vault, "_write_generation", full)
    with pytest.raises(DataError, match="counter"):
        vault.open(KEY, 0)
    assert mounts.kinds(vault.launch.data.kept) == [] and not vault.supervisor.children
    monkeypatch.undo()
    assert vault.open(KEY, 0) == 1
