"""The encrypted volume. cryptsetup is the real one for headers and keys; for what takes dm-crypt something stands in.

The opened volume is a folder here. The whole of it runs in the image's virtual machine only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.datadir import DataDir
from launcher.errors import DataError, SettingError, UnavailableError
from launcher.measure import encryption
from launcher.plan import settings
from launcher.plan.events import encryption_event
from launcher.plan.launch import Launch
from launcher.serve import damage, locked_data, mounts, rotating, volume
from launcher.serve.locked_data import left_closed
from launcher.serve.supervisor import Supervisor
from launcher.serve.vault import VaultError
from launcher.serve.volume import HEADER_BYTES, NAME, Volume

ROOT = Path(__file__).resolve().parents[2]
KEY, OTHER = bytes(range(32)), bytes(32)
OWNER = "Gb8jfLJNrVqR8EB3SRo-aKaBXv2NjGL40zHzUQ3ZpqM"
REAL = shutil.which("cryptsetup")

INTEGRITY = {"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"}
STAND_IN = f"""#!{sys.executable}
import json, os, subprocess, sys
from pathlib import Path
place, name, real, given = Path(sys.argv[0]).parents[1], os.path.basename(sys.argv[0]), {REAL!r}, sys.argv[1:]
with open(place / "asked", "a") as asked:
    asked.write(json.dumps([name, *given, dict(os.environ)]) + "\\n")
print("WARNING: something that is no part of an answer", file=sys.stderr)
mapped = place / "mapper" / {NAME!r}
if name == "mkfs.ext4":
    sys.exit(not mapped.exists())
if name == "mount" and (place / "damaged").exists():
    sys.exit("mount: can't read superblock on /dev/mapper/open-webui-tdx.")
if name == "mount":
    options, target = given[3].split(","), given[-1]
    assert mapped.exists() and {{"nodev", "nosuid", "noexec"}} <= set(options)
    if "remount" not in options:
        subprocess.run(["/bin/mount", "--bind", place / "inside", target], check=True)
    way = "ro" if "ro" in options else "rw"
    sys.exit(subprocess.run(["/bin/mount", "-o", "remount,bind," + way, target]).returncode)
if given[0] == "close":
    sys.exit("Device open-webui-tdx is still in use." if (place / "busy").exists() else mapped.unlink())
key = sys.stdin.buffer.read() if "--key-file=-" in given else None
tested = "--test-passphrase" in given
if given[0] == "open" and not tested:
    given = [*given[:-1], "--test-passphrase"]
given = [each for each in given if not each.startswith("--integrity")]
given = ["--disable-locks", *given] if given[0].startswith("luks") and given[0] != "luksDump" else given
files = [int(each.rpartition("/")[2]) for each in given if "/proc/self/fd/" in each]
done = subprocess.run([real, *given], input=key, pass_fds=files, stdout=subprocess.PIPE)
said = done.stdout
if given[0] == "luksDump":
    told = json.loads(said)
    told["segments"]["0"]["integrity"] = {INTEGRITY!r}
    told["keyslots"]["0"]["key_size"] += 32
    said = json.dumps(told).encode()
sys.stdout.buffer.write(said)
if given[0] == "open" and not tested and not done.returncode:
    mapped.write_text("open")
sys.exit(done.returncode)
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Volume]:
    if REAL is None or os.geteuid() != 0:
        pytest.skip("needs cryptsetup (Debian: cryptsetup-bin), and root to mount")
    place = tmp_path / "place"
    for folder in (place / "mapper", place / "inside", place / "bin"):
        folder.mkdir(parents=True)
    for name in ("cryptsetup", "mkfs.ext4", "mount"):
        path = place / "bin" / name
        path.write_text(STAND_IN)
        path.chmod(0o755)
    device = tmp_path / "device"
    with device.open("wb") as file:
        file.truncate(HEADER_BYTES + (4 << 20))
    monkeypatch.setattr(encryption, "found", lambda name: str(place / "bin" / name))
    monkeypatch.setattr(volume, "MAPPER", place / "mapper")
    monkeypatch.setattr(volume, "_is_device", lambda mode: True)
    data = DataDir(tmp_path / "data", "boot", encrypted=True, volume=str(device))
    data.prepare()
    chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATA_DIR": str(data.root)})
    launch = Launch(ROOT, chosen, data, "tdx-simulated", {}, sys.executable, os.getpid())
    if subprocess.run(["mount", "--bind", data.kept, data.kept], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount")
    mounts.clear(data.kept)
    yield Volume(launch, place / "bin/cryptsetup", Supervisor(data.logs))
    volume.close(data)


def place_of(made: Volume) -> Path:
    return made.program.parents[1]


def asked(made: Volume) -> list[list[Any]]:
    path = place_of(made) / "asked"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def closed(made: Volume) -> bool:
    return mounts.kinds(made.launch.data.kept) == [] and not (place_of(made) / "mapper" / NAME).exists()


@pytest.mark.slow
def test_it_is_made_opened_counted_and_closed(made: Volume) -> None:
    data = made.launch.data
    made.create(KEY)
    assert closed(made)
    with left_closed(data):
        assert made.open(KEY, 0) == 1
        (data.kept / "a.txt").write_text("words")
        assert not closed(made)
    assert closed(made) and list(data.kept.iterdir()) == []
    assert made.open(KEY, 1) == 2 and (data.kept / "a.txt").read_text() == "words"
    mounted = [call[4] for call in asked(made) if call[0] == "mount"]
    assert mounted[1:3] == ["nodev,nosuid,noexec,ro", "nodev,nosuid,noexec,remount,rw"]
    (format_,) = [call for call in asked(made) if call[1] == "luksFormat"]
    assert "--integrity=hmac-sha256" in format_ and "--type=luks2" in format_


@pytest.mark.slow
@pytest.mark.attack
def test_the_key_is_in_no_argument_or_environment(made: Volume) -> None:
    made.create(KEY)
    made.open(KEY, 0)
    said = json.dumps(asked(made))
    assert KEY.hex() not in said and "\\u0001\\u0002\\u0003" not in said


@pytest.mark.attack
def test_a_volume_is_only_made_where_its_owner_says_so_and_nothing_lies(made: Volume) -> None:
    with pytest.raises(VaultError, match="There is no encrypted data at .*: if that is as it should be, ask to create"):
        made.open(KEY, 0)
    device = Path(made.launch.data.volume)
    with device.open("r+b") as file:
        file.seek(70_000)
        file.write(b"somebody's")
    before = device.read_bytes()
    with pytest.raises(VaultError, match="holds something already"):
        made.create(KEY)
    assert device.read_bytes() == before and asked(made) == []


@pytest.mark.slow
def test_another_key_opens_nothing(made: Volume) -> None:
    made.create(KEY)
    with pytest.raises(VaultError, match="This key does not open the data"):
        made.open(OTHER, 0)
    assert closed(made) and made.open(KEY, 0) == 1


@pytest.mark.slow
@pytest.mark.attack
def test_an_earlier_state_is_not_opened(made: Volume) -> None:
    made.create(KEY)
    with pytest.raises(VaultError, match="opened 0 times, and at least 2 were expected"):
        made.open(KEY, 2)
    assert closed(made) and (place_of(made) / "inside/generation").read_text() == "0\n"


CHANGES: dict[str, Any] = {
    "no encryption": lambda told: told["segments"]["0"].update(encryption="cipher_null-ecb"),
    "no integrity": lambda told: told["segments"]["0"].pop("integrity"),
    "weaker integrity": lambda told: told["segments"]["0"]["integrity"].update(type="crc32c"),
    "the key for everybody": lambda told: told["keyslots"]["0"]["area"].update(encryption="cipher_null-ecb"),
    "a second key": lambda told: told["keyslots"].update({"1": told["keyslots"]["0"]}),
    "a second part": lambda told: told["segments"].update({"1": told["segments"]["0"]}),
    "a costly key": lambda told: told["keyslots"]["0"]["kdf"].update(iterations=2**31),
    "another place": lambda told: told["segments"]["0"].update(offset="0"),
    "a token": lambda told: told["tokens"].update({"0": {"type": "a-plugin", "keyslots": []}}),
    "flags": lambda told: told["config"].update(flags=["no-journal"]),
    "requirements": lambda told: told["config"].update(requirements={"mandatory": ["online-reencrypt"]}),
    "costly digest": lambda told: told["digests"]["0"].update(iterations=2**31),
    "no header": lambda told: told.clear(),
}


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What cryptsetup says of a header that it made for us, but for the integrity that takes dm-integrity."""
    if REAL is None:
        pytest.skip("needs cryptsetup (Debian: cryptsetup-bin)")
    path = tmp_path_factory.mktemp("volume") / "device"
    path.write_bytes(bytes(HEADER_BYTES + (4 << 20)))
    plain = [each for each in volume.FORMAT if not each.startswith("--integrity")]
    where = (f"--offset={HEADER_BYTES // 512}", "--key-file=-", str(path))
    subprocess.run([REAL, "luksFormat", *plain, "--disable-locks", *where], input=KEY, check=True)
    dump = [REAL, "luksDump", "--dump-json-metadata", str(path)]
    told = json.loads(subprocess.run(dump, capture_output=True, check=True).stdout)
    told["segments"]["0"]["integrity"] = INTEGRITY
    told["keyslots"]["0"]["key_size"] += 32
    return json.dumps(told)


@pytest.mark.attack
@pytest.mark.parametrize("change", CHANGES)
def test_the_device_does_not_choose_how_it_is_encrypted(dumped: str, change: str) -> None:
    """A header is not authenticated: one that asks for less would be obeyed."""
    volume.check(dumped, "/dev/vdb")
    told = json.loads(dumped)
    CHANGES[change](told)
    with pytest.raises(VaultError, match="asks for another way of encrypting"):
        volume.check(json.dumps(told), "/dev/vdb")


@pytest.mark.slow
@pytest.mark.attack
def test_what_is_opened_is_the_header_that_was_looked_at(made: Volume) -> None:
    made.create(KEY)
    made.open(KEY, 0)
    opened = [call for call in asked(made) if call[1] == "open"]
    assert all(any(str(each).startswith("--header=/proc/self/fd/") for each in call) for call in opened)


@pytest.mark.slow
def test_a_volume_is_there_as_a_whole_or_not_at_all(made: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends its making before the last step, it can be made again."""

    def full(self: Volume, count: int) -> None:
        raise DataError("the disk is full")

    monkeypatch.setattr(Volume, "_write_generation", full)
    with pytest.raises(DataError):
        made.create(KEY)
    assert closed(made) and volume._blank(Path(made.launch.data.volume))
    monkeypatch.undo()
    monkeypatch.setattr(volume, "_is_device", lambda mode: True)
    monkeypatch.setattr(volume, "MAPPER", place_of(made) / "mapper")
    monkeypatch.setattr(encryption, "found", lambda name: str(place_of(made) / "bin" / name))
    made.create(KEY)
    assert made.open(KEY, 0) == 1


@pytest.mark.slow
def test_an_opening_that_cannot_be_counted_is_none(made: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    made.create(KEY)

    def full(self: Volume, count: int) -> None:
        raise DataError("the disk is full")

    monkeypatch.setattr(Volume, "_write_generation", full)
    with pytest.raises(DataError):
        made.open(KEY, 0)
    assert closed(made)


@pytest.mark.slow
def test_the_next_launch_closes_what_a_killed_one_left(made: Volume) -> None:
    made.create(KEY)
    made.open(KEY, 0)
    with left_closed(made.launch.data):
        assert closed(made)


@pytest.mark.slow
@pytest.mark.attack
def test_a_launch_without_the_volume_closes_it_too_unless_it_is_anothers(
    made: Volume, capsys: pytest.CaptureFixture[str]
) -> None:
    """DATA_VOLUME was taken out of the settings after a kill: the kernel is not to keep the key."""
    made.create(KEY)
    for encrypted in (False, True):
        made.open(KEY, 0)
        with left_closed(DataDir(made.launch.data.root, "boot", encrypted=encrypted)):
            assert closed(made)
        assert "is open" not in capsys.readouterr().err
    made.open(KEY, 0)
    mounts.clear(made.launch.data.kept)
    (place_of(made) / "busy").touch()
    with left_closed(DataDir(made.launch.data.root.with_name("another"), "boot")):
        assert (place_of(made) / "mapper" / NAME).exists()
    said = capsys.readouterr()
    assert "if no other service uses it, close it" in said.out + said.err and "still in use" in said.out + said.err
    (place_of(made) / "busy").unlink()


@pytest.mark.slow
def test_only_the_new_key_opens_it(made: Volume) -> None:
    made.create(KEY)
    device = Path(made.launch.data.volume)
    rotating.rotate(made, KEY, OTHER, 0, False)
    assert closed(made)
    with pytest.raises(VaultError, match="This key does not open the data"):
        made.open(KEY, 0)
    rotating.rotate(made, KEY, OTHER, 0, False)  # its owner did not hear of it, and asks again
    assert made.open(OTHER, 0) == 1
    said = json.dumps(asked(made))
    assert KEY.hex() not in said and "\\u0000\\u0000" not in said
    assert device.stat().st_size == HEADER_BYTES + (4 << 20)


@pytest.mark.slow
@pytest.mark.attack
def test_what_is_not_to_be_exchanged_is_left_as_it_is(made: Volume) -> None:
    made.create(KEY)
    made.open(KEY, 0)
    volume.close(made.launch.data)
    before = Path(made.launch.data.volume).read_bytes()
    with pytest.raises(VaultError, match="A volume has its master key for good"):
        rotating.rotate(made, KEY, OTHER, 0, True)
    with pytest.raises(VaultError, match="opened 1 times, and at least 2 were expected"):
        rotating.rotate(made, KEY, OTHER, 2, False)
    with pytest.raises(VaultError, match="This key does not open the data"):
        rotating.rotate(made, OTHER, OTHER, 0, False)
    assert closed(made) and Path(made.launch.data.volume).read_bytes() == before


@pytest.mark.slow
@pytest.mark.attack
def test_an_exchange_that_is_killed_leaves_one_of_the_two_keys(made: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of each description, and around what else is written."""
    made.create(KEY)
    device = Path(made.launch.data.volume)
    parts: list[tuple[int, int]] = []
    before, write = device.read_bytes(), volume._write_header

    def keep(header: int, target: Path, *given: tuple[int, int]) -> None:
        parts.extend(given)
        write(header, target, *given)

    monkeypatch.setattr(volume, "_write_header", keep)
    rotating.rotate(made, KEY, OTHER, 0, False)
    after = device.read_bytes()
    for done, (begin, end) in enumerate(parts):
        torn = (begin, begin + 2048) if end <= 32 * 1024 else (begin, end)
        content = bytearray(before)
        for start, stop in (*parts[:done], torn):
            content[start:stop] = after[start:stop]
        device.write_bytes(content)
        opening = [key for key in (KEY, OTHER) if opens(made, key)]
        assert opening == ([KEY] if done < 2 else [OTHER]), done
    rotating.rotate(made, KEY, OTHER, 0, False)  # asked again, it is done


def opens(made: Volume, key: bytes) -> bool:
    try:
        made.look(key, 0)
    except VaultError as error:
        assert "This key does not open the data" in str(error)
        return False
    return True


@pytest.mark.slow
def test_damage_is_said_when_it_is_opened_and_while_it_is_open(
    made: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made.create(KEY)
    (place_of(made) / "damaged").touch()
    with pytest.raises(VaultError, match=r"The encrypted data is damaged: the volume opens, .* can't read superblock"):
        made.open(KEY, 0)
    assert closed(made)
    (place_of(made) / "damaged").unlink()
    made.open(KEY, 0)
    monkeypatch.setattr(damage, "EXT4", tmp_path / "ext4")
    said = tmp_path / "ext4" / NAME
    following = locked_data.damage(made.launch.data, made.supervisor)
    following.tend()
    said.mkdir(parents=True)
    for count, told in ((0, ""), (2, "has met 2 errors, the last at block 8193"), (2, ""), (3, "has met 3 errors")):
        (said / "errors_count").write_text(f"{count}\n")
        (said / "last_error_block").write_text("8193\n")
        following.tend()
        heard = capsys.readouterr()
        assert told in heard.out + heard.err and bool(told) == bool(heard.out + heard.err)


def test_settings_and_what_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATA_VOLUME": "/dev/disk/by-id/a-b"})
    assert chosen.data_volume == "/dev/disk/by-id/a-b"
    for given, sentence in (
        ({"DATA_VOLUME": "/dev/vdb"}, "DATA_VOLUME is set, but DATA_KEY is none"),
        ({"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATA_VOLUME": "vdb"}, "is no block device's path"),
    ):
        with pytest.raises(SettingError, match=sentence):
            settings.load(given)
    assert encryption_event("cryptsetup", "2.6.1", "ab").operation == "cryptsetup"
    monkeypatch.setattr(encryption, "MAPPER", tmp_path / "none")
    with pytest.raises(UnavailableError, match="install the packages cryptsetup-bin and e2fsprogs"):
        encryption.measure(volume=True)
    folder = DataDir(tmp_path / "data", "boot", encrypted=True, volume="/dev/vdb")
    folder.root.mkdir()
    folder.cipher.mkdir()
    with pytest.raises(DataError, match="holds an encrypted folder, and DATA_VOLUME=/dev/vdb names a volume"):
        folder.prepare()


def test_what_is_no_device_is_refused(tmp_path: Path) -> None:
    data = DataDir(tmp_path, "boot", encrypted=True, volume=str(tmp_path / "none"))
    chosen = settings.load({"DATA_KEY": "unlock", "DATA_OWNER": OWNER, "DATA_DIR": str(tmp_path)})
    launch = Launch(ROOT, chosen, data, "tdx-simulated", {}, sys.executable, os.getpid())
    made = Volume(launch, Path("/nonexistent"), Supervisor(tmp_path))
    with pytest.raises(VaultError, match="cannot be used: No such file"):
        made.open(KEY, 0)
    (tmp_path / "none").touch()
    with pytest.raises(VaultError, match="is no block device"):
        made.create(KEY)
