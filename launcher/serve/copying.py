"""Copy a folder with all that is in it, so that a kill at any point loses nothing and the next attempt goes on.

A file appears in the copy whole, under its name only once it is on the disk. What is there already is compared byte for
byte and left alone where it is the same. Everything goes through descriptors and never through a link: the files may
belong to an account that is not trusted with anything else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, reason, writing

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: In each folder of the copy, while one of its files is being written.
PARTIAL = ".open-webui-tdx-being-copied"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Copying:
    """`check` is called now and then, and may raise what is to end the copying; `exact`: what the original does not
    have, the copy has not either."""

    check: Callable[[], None] = lambda: None
    exact: bool = False

    def copy(self, source: Path, target: Path) -> None:
        """Make the folder `target` hold what `source` does. Raises DataError."""
        with _folders(source, target) as (here, there):
            self._copy(here, there, source, target)
            with writing("the copy", target):
                _like(there, os.fstat(here))

    def take(self, source: Path, target: Path) -> None:
        """Remove the folder `source`, each file once `target` is seen to hold the same. Raises DataError."""
        with _folders(source, target) as (here, there):
            self._take(here, there, source)
        with writing("what was copied", source):
            source.rmdir()

    def copy_file(self, source: Path, target: Path) -> None:
        """Make the file `target` the same as `source`. Raises DataError."""
        with _folders(source.parent, target.parent) as (here, there), writing("the copy", target):
            self._file(here, there, source.name, source)
            os.fsync(there)

    def take_file(self, source: Path, target: Path) -> None:
        """Remove the file `source` once `target` is seen to be the same. Raises DataError."""
        with _folders(source.parent, target.parent) as (here, there):
            self._take_file(here, there, source.name, source)

    def _copy(self, here: int, there: int, source: Path, target: Path) -> None:
        names = _names(here, source)
        _remove(there, PARTIAL, target / PARTIAL)  # of an attempt that was killed
        for name in _names(there, target) - names if self.exact else ():
            _remove(there, name, target / name)
        for name in sorted(names):
            self.check()
            kind = _stat(here, name, source / name).st_mode
            with writing("the copy", target / name):
                if stat.S_ISDIR(kind):
                    self._inner(here, there, name, source / name, target / name)
                elif stat.S_ISLNK(kind):
                    _link(here, there, name, target / name)
                elif stat.S_ISREG(kind):
                    self._file(here, there, name, source / name)
                else:
                    raise DataError(f"{source / name} is neither a file, a folder nor a link: take it away.")
        with writing("the copy", target):
            os.fsync(there)

    def _inner(self, here: int, there: int, name: str, source: Path, target: Path) -> None:
        found = _lstat(there, name)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            _remove(there, name, target)
            found = None
        if found is None:
            os.mkdir(name, 0o700, dir_fd=there)
        inner = os.open(name, _FOLDER, dir_fd=here)
        try:
            copy = os.open(name, _FOLDER, dir_fd=there)
            try:
                self._copy(inner, copy, source, target)
                _like(copy, os.fstat(inner))
            finally:
                os.close(copy)
        finally:
            os.close(inner)

    def _file(self, here: int, there: int, name: str, source: Path) -> None:
        """One file, whole or not at all."""
        with _reading(here, name, source) as original:
            if self._same(original, there, name):
                return
            os.lseek(original, 0, os.SEEK_SET)
            _remove(there, PARTIAL, source.with_name(PARTIAL))
            copy = os.open(PARTIAL, _FRESH, 0o600, dir_fd=there)
            try:
                for chunk in _chunks(original, source):
                    self.check()
                    _write(copy, chunk)
                _like(copy, os.fstat(original))
                os.fsync(copy)
            finally:
                os.close(copy)
            found = _lstat(there, name)
            if found is not None and stat.S_ISDIR(found.st_mode):
                _remove(there, name, source)
            os.rename(PARTIAL, name, src_dir_fd=there, dst_dir_fd=there)

    def _same(self, original: int, there: int, name: str) -> bool:
        """Whether the copy is there, and byte for byte the same."""
        try:
            copy = os.open(name, _FILE, dir_fd=there)
        except OSError:
            return False
        try:
            found, wanted = os.fstat(copy), os.fstat(original)
            if not stat.S_ISREG(found.st_mode) or found.st_size != wanted.st_size:
                return False
            if (found.st_mode, found.st_uid, found.st_gid) != (wanted.st_mode, wanted.st_uid, wanted.st_gid):
                return False
            while chunk := os.read(original, CHUNK):
                self.check()
                if os.read(copy, CHUNK) != chunk:
                    return False
        except OSError:  # a copy that cannot be read is none
            return False
        finally:
            os.close(copy)
        return True

    def _take(self, here: int, there: int, source: Path) -> None:
        for name in sorted(_names(here, source)):
            self.check()
            kind = _stat(here, name, source / name).st_mode
            if stat.S_ISDIR(kind):
                with _opened(here, name, source / name) as inner, _opened(there, name, source / name) as copy:
                    self._take(inner, copy, source / name)
                with writing("what was copied", source / name):
                    os.rmdir(name, dir_fd=here)
            elif stat.S_ISREG(kind):
                self._take_file(here, there, name, source / name)
            else:
                found = _lstat(there, name)
                if found is None or not stat.S_ISLNK(found.st_mode) or _target(here, name) != _target(there, name):
                    raise _differs(source / name)
                with writing("what was copied", source / name):
                    os.unlink(name, dir_fd=here)

    def _take_file(self, here: int, there: int, name: str, source: Path) -> None:
        with _reading(here, name, source) as original:
            if not self._same(original, there, name):
                raise _differs(source)
        with writing("what was copied", source):
            os.unlink(name, dir_fd=here)


def _differs(path: Path) -> DataError:
    return DataError(f"{path} is not what was copied of it, so nothing more was taken away: begin again.")


@contextmanager
def _folders(source: Path, target: Path) -> Iterator[tuple[int, int]]:
    with _opened(None, str(source), source) as here, _opened(None, str(target), target) as there:
        yield here, there


@contextmanager
def _opened(folder: int | None, name: str, path: Path) -> Iterator[int]:
    try:
        handle = os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.") from None
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _reading(folder: int, name: str, path: Path) -> Iterator[int]:
    """One file, which stays what it was looked at for. Raises DataError, also for what cannot be read further on."""
    try:
        handle = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise DataError(f"{path} was exchanged while it was being copied: begin again.")
        yield handle
    finally:
        os.close(handle)


def _chunks(handle: int, path: Path) -> Iterator[bytes]:
    try:
        while chunk := os.read(handle, CHUNK):
            yield chunk
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.") from None


def _names(folder: int, path: Path) -> set[str]:
    try:
        return set(os.listdir(folder)) - {PARTIAL}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.") from None


def _stat(folder: int, name: str, path: Path) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason(error)}.") from None


def _lstat(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _target(folder: int, name: str) -> str:
    return os.readlink(name, dir_fd=folder)


def _link(here: int, there: int, name: str, path: Path) -> None:
    wanted, found = _target(here, name), _lstat(there, name)
    if found is not None and stat.S_ISLNK(found.st_mode) and _target(there, name) == wanted:
        return
    _remove(there, name, path)
    os.symlink(wanted, name, dir_fd=there)
    if os.geteuid() == 0:
        original = os.stat(name, dir_fd=here, follow_symlinks=False)
        os.chown(name, original.st_uid, original.st_gid, dir_fd=there, follow_symlinks=False)


def _remove(folder: int, name: str, path: Path) -> None:
    """Take away what is in the copy's way. Raises DataError."""
    found = _lstat(folder, name)
    if found is None:
        return
    with writing("the copy", path):
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=folder)
            return
        with _opened(folder, name, path) as inner:
            for each in os.listdir(inner):  # noqa: PTH208 -- there is no path, but a descriptor
                _remove(inner, each, path / each)
        os.rmdir(name, dir_fd=folder)


def _like(handle: int, original: os.stat_result) -> None:
    """The owner, rights and times of the original."""
    if os.geteuid() == 0:
        os.fchown(handle, original.st_uid, original.st_gid)
    os.fchmod(handle, stat.S_IMODE(original.st_mode))
    with suppress(OSError):  # times decide nothing
        os.utime(handle, ns=(original.st_atime_ns, original.st_mtime_ns))


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
