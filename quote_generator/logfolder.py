"""The event log on disk: one folder a boot, a lock, and a commit that no crash can tear.

    DIRECTORY/lock, turn            locks (see below)
    DIRECTORY/<boot id>/log         the committed log
    DIRECTORY/<boot id>/pending     the log with the next line, while that line is being extended
    DIRECTORY/archive/<boot id>/    the logs of earlier boots

A commit renames `pending` to `log`, which needs no space on the disk. Whoever changes the log holds `lock` exclusively,
whoever reads it together with the register holds it shared. Both pass `turn` first, so that readers who follow each
other without a pause cannot keep a writer out. Both have mode 0600: whoever can open a lock can hold it.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .aael import EventLogError, parse, to_text
from .files import beside

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
_BOOT_ID = re.compile(r"[0-9A-Za-z]+(-[0-9A-Za-z]+)+")
LOG, PENDING, FRESH = "log", "pending", "pending.new"


def current_boot_id() -> str:
    """The kernel's random id of this boot: registers are zeroed when it changes."""
    return BOOT_ID_FILE.read_text().strip()


class LogFolder:
    """The files of one boot's log below `directory`."""

    def __init__(self, directory: str | os.PathLike[str], boot_id: str | None = None) -> None:
        self.directory = Path(directory)
        self.boot_id = boot_id or current_boot_id()
        if not _BOOT_ID.fullmatch(self.boot_id):
            raise EventLogError(f"{self.boot_id!r} is no boot id")
        self.folder = self.directory / self.boot_id

    def create(self) -> None:
        """Makes the folder and moves those of earlier boots into the archive."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with self.locked(fcntl.LOCK_EX):
                self.folder.mkdir(exist_ok=True)
                for old in sorted(self.directory.iterdir()):
                    if old.is_dir() and old.name != self.boot_id and _BOOT_ID.fullmatch(old.name):
                        self._archive(old)
                _sync_folder(self.directory)
        except OSError as error:
            raise EventLogError(f"the event log's folder {self.directory} cannot be used: {error.strerror}") from None

    def _archive(self, old: Path) -> None:
        archive = self.directory / "archive"
        archive.mkdir(exist_ok=True)
        number, target = 1, archive / old.name
        while target.exists():
            number, target = number + 1, archive / f"{old.name}.{number}"
        old.rename(target)

    @contextmanager
    def locked(self, kind: int) -> Iterator[None]:
        """Holds the lock, `fcntl.LOCK_EX` or `LOCK_SH`; also between threads, since each call opens the file anew."""
        descriptors: list[int] = []
        try:
            try:
                for name in ("turn", "lock"):
                    flags = os.O_RDWR | os.O_CREAT if kind == fcntl.LOCK_EX else os.O_RDONLY
                    descriptors.append(os.open(self.directory / name, flags | os.O_CLOEXEC, 0o600))
                    if os.fstat(descriptors[-1]).st_mode & 0o077:  # of an older version
                        os.fchmod(descriptors[-1], 0o600)
                    fcntl.flock(descriptors[-1], kind)
                os.close(descriptors.pop(0))
            except OSError as error:
                raise EventLogError(f"the event log in {self.directory} cannot be locked: {error.strerror}") from None
            yield
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def read(self, name: str) -> list[str] | None:
        """The lines of `log` or `pending`; None where the file is absent. Call it with the lock held."""
        try:
            text = (self.folder / name).read_bytes().decode()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise EventLogError(f"{self.folder / name} cannot be read: {error}") from None
        try:
            return parse(text)
        except EventLogError as error:
            raise EventLogError(f"{self.folder / name}: {error}") from None

    def candidates(self) -> list[list[str]]:
        """The committed log and, if a writer was stopped half-way, the one that it was about to commit."""
        return [self.read(LOG) or [], *filter(None, [self.read(PENDING)])]

    def write_pending(self, lines: list[str]) -> None:
        """Puts the next log in place beside the committed one, on the disk when this returns."""
        try:
            with beside(self.folder / PENDING, self.folder / FRESH) as fresh, open(fresh, "wb", opener=_opener) as file:
                file.write(to_text(lines).encode())
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(self.folder)
        except OSError as error:
            message = f"the event log in {self.folder} cannot be written: {error.strerror}; nothing was measured"
            raise EventLogError(message) from None

    def commit(self) -> None:
        """The extend happened: the pending log is the log."""
        self._finish(lambda: (self.folder / PENDING).rename(self.folder / LOG))

    def drop_pending(self) -> None:
        """The extend did not happen: forget the pending log."""
        self._finish((self.folder / PENDING).unlink)

    def _finish(self, change: Callable[[], object]) -> None:
        try:
            change()
            _sync_folder(self.folder)
        except OSError as error:
            raise EventLogError(f"the event log in {self.folder} cannot be finished: {error.strerror}") from None


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
