"""The encrypted folder below DATA_DIR, opened with the owner's key and closed again: gocryptfs, as a process.

The key goes to that process over a pipe, and stands in no argument, environment, log or file. What lies in the folder
is the host's to change: gocryptfs's configuration is read once, has to say exactly what ours says, and is given to the
program as a copy in memory. The counter of openings lies inside, encrypted and authenticated as everything else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from ..datadir import DataDir
from ..errors import DataError, LauncherError, reason, writing
from ..files import beside, sync_file, sync_folder
from ..plan import processes
from ..plan.launch import Launch
from . import mounts
from .supervisor import Child, Supervisor

CONFIG = "gocryptfs.conf"
WRAPPING = "encrypted.wrapping."
MAX_CONFIG = 64 * 1024
MOUNT_S = 30.0
POLL_S = 0.02
#: How it encrypts: exactly this, whatever the configuration on the host's disk would like.
FEATURES = frozenset({"HKDF", "GCMIV128", "DirIV", "EMENames", "LongNames", "Raw64"})
#: The key has 32 random bytes: stretching it would only make everybody wait (scrypt, log2 of its cost).
SCRYPT_LOG_N = 10
WRONG_PASSWORD = 12  # gocryptfs's exit code
READY = "Filesystem mounted and ready."  # gocryptfs's words


class VaultError(LauncherError):
    """The folder was not opened; one sentence for the owner. `generation`: the data's, where that was the reason."""

    def __init__(self, message: str, generation: int = 0) -> None:
        super().__init__(message)
        self.generation = generation


class WrongKeyError(VaultError):
    """The key is not the folder's."""


@dataclass(frozen=True)
class Vault:
    """The encrypted folder of one launch; `program` is the measured gocryptfs."""

    launch: Launch
    program: Path
    supervisor: Supervisor

    @property
    def _data(self) -> DataDir:
        return self.launch.data

    def create(self, key: bytes) -> None:
        """Make a new, empty folder for `key` (32 bytes). Raises VaultError."""
        if self._data.cipher.exists():
            raise VaultError(
                f"There is encrypted data at {self._data.cipher} already: open it, or move it away to begin anew."
            )
        self.make(self._data.cipher, key)

    def make(self, cipher: Path, key: bytes) -> None:
        """Make an empty folder at `cipher`. It is there as a whole, or not at all. Raises VaultError."""
        fresh = cipher.with_name(cipher.name + ".new")  # what a kill left of an earlier one holds nothing
        with writing("the encrypted folder", cipher):
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
        arguments = ("-init", "-q", "-scryptn", str(SCRYPT_LOG_N), str(fresh))
        with tempfile.TemporaryFile() as output:
            process = self._start(processes.vault(self.launch, self.program, *arguments), key, output)
            if process.wait(MOUNT_S) != 0:
                raise VaultError(f"gocryptfs could not make the folder: {said(output)}")
        with self.mounted(fresh, key):
            self._write_generation(0)
            if self._data.taking_over:
                self._data.begun.touch()
        fresh.replace(cipher)
        sync_folder(cipher.parent)

    def open(self, key: bytes, least_generation: int) -> int:
        """Open the folder with `key` and count that; the new count. Raises VaultError."""
        cipher = self._data.cipher
        if not cipher.is_dir():
            raise VaultError(f"There is no encrypted data at {cipher}: if that is as it should be, ask to create it.")
        with self.mounted(cipher, key, "-ro"):
            generation = self.recent(least_generation)
            if self._data.taking_over and not self._data.begun.exists():
                raise VaultError(
                    f"There is encrypted data at {cipher} already, beside data in plain text that it was not made to "
                    "take over: move one of the two away. Nothing was changed."
                )
        self._data.check_room()  # what says that it is open is written to the same disk
        child = self._serve(cipher, key)
        try:
            self._write_generation(generation + 1)
        except DataError:  # what is not counted does not stay open
            self.supervisor.end(child)
            mounts.clear(self._data.kept)
            raise
        return generation + 1

    def look(self, key: bytes, least: int) -> None:
        """Whether `key` opens the data, and how often it was opened. Raises VaultError, WrongKeyError."""
        with self.mounted(self._data.cipher, key, "-ro"):
            self.recent(least)

    def recent(self, least: int) -> int:
        """How often the mounted data was opened, at least `least` times. Raises VaultError."""
        generation = self._generation()
        if generation < least:
            raise VaultError(
                f"The data is older than it should be: it was opened {generation} times, and at least {least} were "
                "expected. Whoever holds the disk may have put an earlier state back; after a restore of your own, "
                f"accept it with --accept-generation {generation}.",
                generation,
            )
        return generation

    def _serve(self, cipher: Path, key: bytes) -> Child:
        """Mount it for as long as the launch runs: the process is watched and stopped as every other."""
        with self._config(cipher / CONFIG) as config:
            planned = processes.vault(self.launch, self.program, *_mount(config, cipher, self._data.kept))
            child = self.supervisor.start(replace(planned, told=True), [config])
            child.tell(_lines(key))
            self._wait(self._data.kept, child.process.poll, child.tail)
        return child

    @contextmanager
    def mounted(
        self, cipher: Path, key: bytes, *options: str, at: Path | None = None, config: Path | None = None
    ) -> Iterator[None]:
        """Mount it for a moment, `at` another place than usual or with another `config`. Raises VaultError."""
        where = at or self._data.kept
        with self._config(config or cipher / CONFIG) as handle, tempfile.TemporaryFile() as output:
            arguments = _mount(handle, cipher, where, *options)
            process = self._start(processes.vault(self.launch, self.program, *arguments), key, output, handle)
            try:
                self._wait(where, process.poll, lambda: said(output))
                yield
            finally:
                process.terminate()  # it unmounts
                with suppress(subprocess.TimeoutExpired):
                    process.wait(MOUNT_S)
                process.kill()
                process.wait()
                mounts.clear(where)

    def wrap(self, key: bytes, new: bytes) -> None:
        """Exchange the folder's key for `new`, at once: its master key, and all files, stay. Raises VaultError."""
        cipher = self._data.cipher
        with tempfile.TemporaryDirectory(dir=self._data.root, prefix=WRAPPING) as folder:
            fresh = Path(folder) / CONFIG
            with writing("the encrypted folder's new configuration", fresh):
                fresh.write_bytes(checked_config(cipher / CONFIG))
                fresh.chmod(0o600)
            arguments = ("-passwd", "-q", "-scryptn", str(SCRYPT_LOG_N), "-config", str(fresh), str(cipher))
            with tempfile.TemporaryFile() as output:
                process = self._start(processes.vault(self.launch, self.program, *arguments), key, output, new=new)
                code = process.wait(MOUNT_S)
                if code == WRONG_PASSWORD:
                    raise wrong_key()
                if code != 0:
                    raise VaultError(f"gocryptfs could not exchange the key: {said(output)}")
            with self.mounted(cipher, new, "-ro", config=fresh):
                self._generation()  # it opens what is there: only now the old one goes
            with writing("the encrypted folder's new configuration", cipher):
                sync_file(fresh)
                fresh.replace(cipher / CONFIG)
                sync_folder(cipher)

    @staticmethod
    def _start(
        planned: processes.Process, key: bytes, output: IO[bytes], *files: int, new: bytes = b""
    ) -> subprocess.Popen[bytes]:
        """One that is not watched: it gets the key, and the one after it if there is one, and ends soon."""
        process = subprocess.Popen(  # noqa: S603 - the measured program
            planned.command,
            env=dict(planned.env),
            cwd=planned.cwd,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=files,
        )
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(_lines(key, new))
        return process

    def _wait(self, where: Path, poll: Callable[[], int | None], last: Callable[[], str]) -> None:
        """Until the folder is mounted, and gocryptfs says so: who writes there earlier waits for ever, as it looks into
        its own mount then. Raises VaultError."""
        deadline = time.monotonic() + MOUNT_S
        while READY not in last() or not mounts.is_ours(where):
            code = poll()
            if code == WRONG_PASSWORD:
                raise wrong_key()
            if code is not None or time.monotonic() > deadline:
                raise VaultError(f"gocryptfs did not open the data ({code}): {last() or 'it did not answer in time'}")
            time.sleep(POLL_S)

    @contextmanager
    def _config(self, path: Path) -> Iterator[int]:
        """An open file in memory with the folder's configuration, which is ours. Raises VaultError."""
        handle = os.memfd_create(CONFIG)
        try:
            os.write(handle, checked_config(path))
            yield handle
        finally:
            os.close(handle)

    def _generation(self) -> int:
        try:
            text = self._data.generation.read_text(encoding="ascii")
            return int(text) if len(text) <= 20 else -1
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else "it is no number"
            raise VaultError(f"The encrypted data is damaged: its counter cannot be read ({why}).") from None

    def _write_generation(self, count: int) -> None:
        path = self._data.generation
        with writing("the data's counter", path):
            with beside(path) as fresh, open(fresh, "w", encoding="ascii") as file:
                file.write(f"{count}\n")
                file.flush()
                os.fsync(file.fileno())
            sync_folder(path.parent)


def checked_config(path: Path) -> bytes:
    """The configuration at `path`, whose every word but salt and wrapped key is one of ours. Raises VaultError."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_CONFIG)
        found = json.loads(data)
        scrypt = found["ScryptObject"]
        cost = (scrypt["N"], scrypt["R"], scrypt["P"], scrypt["KeyLen"])
        same = (found["Version"], frozenset(found["FeatureFlags"]), cost) == (
            2,
            FEATURES,
            (1 << SCRYPT_LOG_N, 8, 1, 32),
        )
    except OSError as error:
        raise VaultError(f"The encrypted data is damaged: {path} cannot be read ({reason(error)}).") from None
    except (ValueError, KeyError, TypeError):
        raise VaultError(f"The encrypted data is damaged: {path} is no configuration of gocryptfs.") from None
    if not same:
        raise VaultError(
            f"{path} asks for another way of encrypting than this release's, as whoever holds the disk could write it: "
            "nothing is opened."
        )
    return data


def _mount(config: int, cipher: Path, mountpoint: Path, *options: str) -> tuple[str, ...]:
    shared = ("-allow_other",) if os.geteuid() == 0 else ()
    kept = ("-fg", "-nosyslog", "-nodev", "-nosuid", "-noexec", "-config", f"/proc/self/fd/{config}")
    return (*kept, *shared, *options, str(cipher), str(mountpoint))


def _lines(*keys: bytes) -> bytes:
    """What gocryptfs reads on its standard input."""
    return b"".join(key.hex().encode() + b"\n" for key in keys if key)


def wrong_key() -> WrongKeyError:
    """What whoever brought it is told."""
    return WrongKeyError(
        "This key does not open the data: it is another data's key, or an earlier one (where an exchange of the key "
        "was cut off, ask for it again: --rotate-key). Without its own key nobody can open it."
    )


def said(output: IO[bytes]) -> str:
    """The last words of a process, as far as it has written them."""
    return " ".join(os.pread(output.fileno(), 4096, 0).decode("utf-8", "replace").split())[-300:]
