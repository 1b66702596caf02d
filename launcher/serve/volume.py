"""The encrypted volume, where DATA_VOLUME names one: LUKS2 with authenticated encryption, by cryptsetup and the kernel.

What lies on the device is the host's to change, its header first, which nothing authenticates: a header that asks for
no encryption, or hands the key to everybody, would be obeyed. So it is copied into memory once; that copy has to say
exactly what ours says, and is what cryptsetup is given. A new header is made in memory, too, and written last: a volume
is there as a whole, or not at all. The key goes to cryptsetup over a pipe, and stands in no argument, environment, log
or file. The counter of openings lies inside.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..datadir import DataDir
from ..errors import DataError, reason, writing
from ..measure import encryption
from ..plan import processes
from ..plan.environment import FIXED
from ..summary import notice
from . import mounts
from .vault import Vault, VaultError, said, wrong_key

MAPPER = Path("/dev/mapper")
#: The opened volume's name there. One at a time on a machine.
NAME = "open-webui-tdx"
HEADER_BYTES = 16 * 1024 * 1024  # of the device, before the data
SECTOR = 512
#: Its parts, from byte to byte: the first description, the second one, keys.
FIRST, SECOND, KEYS = (0, 16 * 1024), (16 * 1024, 32 * 1024), (32 * 1024, HEADER_BYTES)
POLL_S = 0.1
OPEN_S = 60.0
#: Every block gets its tag when a volume is made: hours for terabytes.
MAKE_S = 24 * 3600.0
CLOSE_S = 20.0
NO_KEY = 2  # cryptsetup's exit code

CIPHER, INTEGRITY, KEYSLOT_CIPHER = "aes-xts-plain64", "hmac-sha256", "aes-xts-plain64"
FORMAT = (
    "--type=luks2", "--batch-mode", f"--cipher={CIPHER}", "--key-size=512", f"--integrity={INTEGRITY}",
    "--sector-size=4096", "--hash=sha256",
    # The key has 32 random bytes: stretching it would only make everybody wait.
    "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000",
)  # fmt: skip
CHANGE = ("--type=luks2", "--batch-mode", "--hash=sha256", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
OPEN = ("--type=luks2", "--batch-mode", "--disable-external-tokens", "--disable-keyring")
MOST_ITERATIONS = 1_000_000
#: What a header says, which is read from the device: whatever it asks for would be obeyed.
OURS: dict[str, Any] = {
    "slot": {
        "type": "luks2",
        "key_size": 96,
        "af": {"type": "luks1", "stripes": 4000, "hash": "sha256"},
        "area": {"type": "raw", "encryption": KEYSLOT_CIPHER, "key_size": 64},
        "kdf": {"type": "pbkdf2", "hash": "sha256", "iterations": 1000},
    },
    "segment": {
        "type": "crypt",
        "offset": str(HEADER_BYTES),
        "size": "dynamic",
        "iv_tweak": "0",
        "encryption": CIPHER,
        "sector_size": 4096,
        "integrity": {"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"},
    },
    "digest": {"type": "pbkdf2", "keyslots": ["0"], "segments": ["0"], "hash": "sha256"},
    "tokens": {},
    "config": ["json_size", "keyslots_size"],
}
OPTIONS = "nodev,nosuid,noexec"


class Volume(Vault):
    """The encrypted volume of one launch; `program` is the measured cryptsetup."""

    def create(self, key: bytes) -> None:
        """Make a new, empty volume for `key` (32 bytes). Raises VaultError, DataError, Stopped."""
        device = self._device()
        if not _blank(device):
            raise VaultError(
                f"{device} holds something already: if it is your encrypted data, open it; otherwise clear it first "
                f"(blkdiscard -f -z {device}). Nothing was changed."
            )
        with _memory() as header:
            file = f"/proc/self/fd/{header}"
            offset = f"--offset={HEADER_BYTES // SECTOR}"
            self._run("make", "luksFormat", *FORMAT, offset, f"--header={file}", "--key-file=-", str(device),
                      key=key, files=(header,), within=MAKE_S)  # fmt: skip
            self._map(key, header)
            try:
                self._tool(encryption.MAKER, "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(MAPPER / NAME))
                self._mount(OPTIONS)
                self._write_generation(0)
                if self._data.taking_over:
                    self._data.begun.touch()
            finally:
                close(self._data)
            with writing("the volume's header", device):
                _write_header(header, device, KEYS, SECOND, FIRST)

    def open(self, key: bytes, least_generation: int) -> int:
        """Open the volume with `key` and count that; the new count. Raises VaultError, DataError, Stopped."""
        with self._mapped(key):
            generation = self.recent(least_generation)
            if self._data.taking_over and not self._data.begun.exists():
                raise VaultError(
                    f"There is encrypted data at {self._data.volume} already, beside data in plain text that it was "
                    "not made to take over: move one of the two away. Nothing was changed."
                )
            self._mount(f"{OPTIONS},remount,rw")
            self._write_generation(generation + 1)  # what is not counted does not stay open
        return generation + 1

    def look(self, key: bytes, least_generation: int) -> None:
        """Whether `key` opens the volume, and how often it was opened. Raises VaultError, WrongKeyError."""
        with self._mapped(key):
            self.recent(least_generation)
        close(self._data)

    def wrap(self, key: bytes, new: bytes) -> None:
        """Exchange the volume's key for `new`, at once: its master key, and all that is in it, stay. Raises VaultError.

        The new one is wrapped beside the old one, which goes last: whatever ends it, one of the two opens the volume.
        """
        device = self._device()
        with _memory(device) as header, _piped(new) as handed:
            file = f"/proc/self/fd/{header}"
            before = _keys_area(self._checked(header))
            self._run("exchange the key of", "luksChangeKey", *CHANGE, f"--header={file}", "--key-file=-", str(device),
                      f"/proc/self/fd/{handed}", key=key, files=(header, handed))  # fmt: skip
            after = _keys_area(self._checked(header))
            self._run("read", "open", "--test-passphrase", *OPEN, f"--header={file}", "--key-file=-", str(device),
                      key=new, files=(header,))  # fmt: skip
            if max(before[0], after[0]) < min(before[1], after[1]):
                raise VaultError(f"{device} has no room for a second key beside the first one. Nothing was changed.")
            with writing("the volume's header", device):
                _write_header(header, device, after, SECOND, FIRST, before)

    @contextmanager
    def _mapped(self, key: bytes) -> Iterator[None]:
        """It is open and mounted, to be read only, and stays so, unless what is done here fails. Raises VaultError."""
        device = self._device()
        if _blank(device):
            raise VaultError(f"There is no encrypted data at {device}: if that is as it should be, ask to create it.")
        with _memory(device) as header:
            self._map(key, header)
        try:
            try:
                self._mount(f"{OPTIONS},ro")
            except VaultError as error:
                raise VaultError(
                    "The encrypted data is damaged: the volume opens, and its file system cannot be mounted. Take the "
                    "volume from a backup; whoever holds the disk can have changed it. The kernel's log may name the "
                    f"sector. ({error})"
                ) from None
            yield
        except BaseException:
            close(self._data)
            raise

    def _device(self) -> Path:
        device = Path(self._data.volume)
        try:
            kind = device.stat().st_mode
        except OSError as error:
            raise VaultError(f"DATA_VOLUME={device} cannot be used: {reason(error)}.") from None
        if not _is_device(kind):
            raise VaultError(f"DATA_VOLUME={device} is no block device.")
        return device

    def _map(self, key: bytes, header: int) -> None:
        """Have the kernel open it under NAME. Raises VaultError."""
        self._checked(header)
        file = f"/proc/self/fd/{header}"
        self._run("open", "open", *OPEN, f"--header={file}", "--key-file=-", self._data.volume, NAME,
                  key=key, files=(header,))  # fmt: skip

    def _checked(self, header: int) -> str:
        """What a header says, which is what ours says. Raises VaultError."""
        dumped = self._run("read", "luksDump", "--dump-json-metadata", f"/proc/self/fd/{header}", files=(header,))
        check(dumped, self._data.volume)
        return dumped

    def _mount(self, options: str) -> None:
        with writing("where the data is opened", self._data.kept):
            self._data.kept.mkdir(exist_ok=True)
        self._tool(encryption.MOUNT, "-t", "ext4", "-o", options, str(MAPPER / NAME), str(self._data.kept))

    def _tool(self, name: str, *arguments: str) -> None:
        """A program of the system's that works on what is open already. Raises VaultError."""
        self._finish(f"{name} failed", processes.vault(self.launch, encryption.tool(name), *arguments), b"", MAKE_S)

    def _run(self, what: str, *arguments: str, key: bytes = b"", files: tuple[int, ...], within: float = OPEN_S) -> str:
        planned = processes.vault(self.launch, self.program, *arguments)
        return self._finish(f"cryptsetup could not {what} the volume", planned, key, within, *files)

    def _finish(self, failed: str, planned: processes.Process, key: bytes, within: float, *files: int) -> str:
        """Run a process to its end; what it said, warnings apart. Raises VaultError, Stopped."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = self._begin(planned, key, output.fileno(), errors.fileno(), *files)
            deadline = time.monotonic() + within
            try:
                while (code := process.poll()) is None:
                    self.supervisor.check()
                    if time.monotonic() > deadline:
                        raise VaultError(f"{failed}: it did not end in {within:.0f} s")
                    time.sleep(POLL_S)
            finally:
                process.kill()
                process.wait()
            if code == NO_KEY and key:
                raise wrong_key()
            if code != 0:
                raise VaultError(f"{failed}: {said(errors) or said(output)}")
            return os.pread(output.fileno(), HEADER_BYTES, 0).decode("utf-8", "replace")

    @staticmethod
    def _begin(
        planned: processes.Process, key: bytes, output: int, errors: int, *files: int
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - the measured program
            planned.command, env=dict(planned.env), cwd=planned.cwd, stdin=subprocess.PIPE, stdout=output,
            stderr=errors, start_new_session=True, pass_fds=files,
        )  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(key)  # all of it is the key, without an end of line
        return process


def close(data: DataDir) -> None:
    """Unmount the volume and have the kernel forget its key, after a killed launcher too. Raises DataError."""
    mounts.clear(data.kept)
    program, deadline = encryption.found(encryption.CRYPTSETUP), time.monotonic() + CLOSE_S
    while program and (MAPPER / NAME).exists():
        done = subprocess.run(  # noqa: S603 - as the system has it
            [program, "close", NAME], env=FIXED, capture_output=True, text=True, check=False
        )
        if done.returncode and time.monotonic() > deadline:
            raise DataError(f"{MAPPER / NAME} is still used by something: {done.stderr.strip()[-200:]}")
        time.sleep(POLL_S if done.returncode else 0)


def close_left_over(data: DataDir) -> None:
    """A launch whose settings name no volume: one of before that was killed may have left one open. What is in use is
    another service's, and stays."""
    program = encryption.found(encryption.CRYPTSETUP)
    if not (MAPPER / NAME).exists() or not program:
        return
    mounts.clear(data.mountpoint)
    done = subprocess.run(  # noqa: S603 - as the system has it
        [program, "close", NAME], env=FIXED, capture_output=True, text=True, check=False
    )
    if done.returncode:
        notice(
            f"{MAPPER / NAME}, an encrypted volume, is open, and the kernel holds its key: if no other service uses "
            f"it, close it (cryptsetup close {NAME}). {done.stderr.strip()[-200:]}"
        )


def check(dumped: str, device: str) -> None:
    """Raises VaultError unless the header (as `luksDump --dump-json-metadata` writes it) says what ours says, no more.

    Free are what is drawn (salts, the digest of the volume's key) and where the key lies.
    """
    try:
        found = json.loads(dumped)
        (slot,), (segment,), (digest,) = (found[name].values() for name in ("keyslots", "segments", "digests"))
        says = {
            "slot": {**slot, "area": _but(slot["area"], "offset", "size"), "kdf": _but(slot["kdf"], "salt")},
            "segment": {**segment, "integrity": _but(segment["integrity"], "key_size")},
            "digest": _but(digest, "salt", "digest", "iterations"),
            "tokens": found["tokens"],
            "config": sorted(found["config"]),
        }
        bearable = 1000 <= int(digest["iterations"]) <= MOST_ITERATIONS
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _other(device) from None
    if says != OURS or not bearable:
        raise _other(device)


def _but(content: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def _other(device: str) -> VaultError:
    return VaultError(
        f"{device} asks for another way of encrypting than this release's, as whoever holds the disk could write it: "
        "nothing is opened."
    )


def _keys_area(dumped: str) -> tuple[int, int]:
    """Where the volume's key lies in a checked header, from byte to byte. Raises VaultError."""
    (slot,) = json.loads(dumped)["keyslots"].values()
    begin = int(slot["area"]["offset"])
    end = begin + int(slot["area"]["size"])
    if not KEYS[0] <= begin < end <= KEYS[1]:
        raise VaultError("The volume's header says that its key lies outside of the header: nothing is changed.")
    return begin, end


@contextmanager
def _piped(key: bytes) -> Iterator[int]:
    """The end of a pipe, from which a key is read."""
    end, other = os.pipe()
    try:
        with open(other, "wb") as file:
            file.write(key)
        yield end
    finally:
        os.close(end)


def _is_device(mode: int) -> bool:
    return stat.S_ISBLK(mode)


def _blank(device: Path) -> bool:
    """Whether nothing but zeros lies where a header would. Raises VaultError."""
    try:
        with open(device, "rb") as file:
            return not any(file.read(HEADER_BYTES))
    except OSError as error:
        raise VaultError(f"{device} cannot be read: {reason(error)}.") from None


@contextmanager
def _memory(device: Path | None = None) -> Iterator[int]:
    """An open file in memory for a header: the one of `device`, or an empty one. Raises VaultError."""
    handle = os.memfd_create("header")
    try:
        os.ftruncate(handle, HEADER_BYTES)
        if device:
            try:
                with open(device, "rb") as file:
                    os.pwrite(handle, file.read(HEADER_BYTES), 0)
            except OSError as error:
                raise VaultError(f"{device} cannot be read: {reason(error)}.") from None
        yield handle
    finally:
        os.close(handle)


def _write_header(header: int, device: Path, *parts: tuple[int, int]) -> None:
    """These parts of it, each on the disk before the next one is begun."""
    target = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for at, end in parts:
            while at < end:
                at += os.pwrite(target, os.pread(header, min(1 << 20, end - at), at), at)
            os.fsync(target)
    finally:
        os.close(target)
