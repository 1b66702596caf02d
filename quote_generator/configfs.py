"""A second way to a quote: the kernel's configfs-tsm (Linux 6.7 or newer).

An entry is a folder below `/sys/kernel/config/tsm/report` (kernel document ABI/testing/configfs-tsm-report):
writing 64 bytes to `inblob` adds 1 to `generation`, reading `outblob` then makes and returns the quote. Whoever writes
in between changes the generation, so a quote is only returned when it moved by exactly one, from the value read before
the write. The kernel takes the written bytes when the file is closed, so the lock lives on a second descriptor.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BusyError, DeviceFailureError, QuoteFailureError, TdxAttestError

REPORT_ROOT = Path("/sys/kernel/config/tsm/report")
ENTRY_NAME = "quote_generator"
PATH_VARIABLE = "DCAP_TDX_QUOTE_CONFIGFS_PATH"  # the variable that Intel's library knows
PROVIDER = "tdx_guest"
_ADVICE = f"unset it, or name a folder below {REPORT_ROOT}"
_QUOTE_LIMIT = 1 << 20  # far above any quote (the kernel's own limit is 32 KiB)


class ReportFolder:
    """One entry of configfs-tsm. `quote` takes 64 bytes of report data and returns the quote."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def quote(self, report_data: bytes) -> bytes:
        """Raises BusyError where somebody else asked in between, else another TdxAttestError."""
        if len(report_data) != 64:
            raise ValueError(f"configfs-tsm takes exactly 64 bytes of report data, not {len(report_data)}")
        try:
            with self._lock():
                return self._exchange(report_data)
        except OSError as error:
            raise self._explained(error) from error

    def _exchange(self, report_data: bytes) -> bytes:
        provider = self.read("provider").decode("ascii", "replace").strip()
        if provider != PROVIDER:
            raise DeviceFailureError(f"{self.path} belongs to the provider {provider!r}, not to {PROVIDER}")
        before = self._generation()
        self.write("inblob", report_data)
        quote = self.read("outblob")
        moved = self._generation() - before
        if moved != 1:
            raise BusyError(f"another program used {self.path} at the same time (generation moved by {moved})")
        if not quote:
            raise QuoteFailureError(f"{self.path}/outblob is empty: the kernel made no quote")
        return quote

    def _generation(self) -> int:
        text = self.read("generation").decode("ascii", "replace").strip()
        if not text.isdecimal():
            raise DeviceFailureError(f"{self.path}/generation reads {text[:40]!r}, which is no number")
        return int(text)

    def read(self, name: str) -> bytes:
        """The content of the attribute `name`; TdxAttestError for a refusal of the kernel's."""
        descriptor = os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            chunks = bytearray()
            while chunk := os.read(descriptor, 65536):
                chunks += chunk
                if len(chunks) > _QUOTE_LIMIT:
                    raise DeviceFailureError(f"{self.path / name} does not end")
            return bytes(chunks)
        finally:
            os.close(descriptor)

    def write(self, name: str, data: bytes) -> None:
        """Write the attribute `name`; TdxAttestError for a refusal of the kernel's."""
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.write(descriptor, data) != len(data):
                raise DeviceFailureError(f"{self.path / name} took only a part of {len(data)} bytes")
        finally:
            os.close(descriptor)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        descriptor = os.open(self.path / "inblob", os.O_WRONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _explained(self, error: OSError) -> TdxAttestError:
        if error.errno in (errno.EBUSY, errno.EAGAIN, errno.EINTR):
            return BusyError(f"the kernel is busy with another quote ({self.path}: {error.strerror})")
        if error.errno in (errno.EACCES, errno.EPERM):
            return DeviceFailureError(f"{self.path} may not be used by this user; run as root or set {PATH_VARIABLE}")
        if error.errno in (errno.ETIMEDOUT, errno.EIO):
            return QuoteFailureError(f"the host made no quote ({self.path}: {error.strerror})")
        return DeviceFailureError(f"{self.path} cannot be used: {error.strerror}")


def find(path: str | os.PathLike[str] | None = None) -> ReportFolder | None:
    """The entry at `path`, or the one that DCAP_TDX_QUOTE_CONFIGFS_PATH names, or our own; None without configfs-tsm.

    Our own entry has a name of its own, so that Intel's library beside us is not disturbed. A folder is created only
    below configfs-tsm's own, where the kernel fills it. Raises DeviceFailureError for a named path that is no entry.
    """
    named = path or os.environ.get(PATH_VARIABLE)
    if named:
        return _named(Path(named))
    if not REPORT_ROOT.is_dir():
        return None
    entry = REPORT_ROOT / ENTRY_NAME
    return ReportFolder(entry) if _present(entry) else None


def _named(entry: Path) -> ReportFolder:
    if not entry.is_dir() and (entry.parent != REPORT_ROOT or not REPORT_ROOT.is_dir()):
        raise DeviceFailureError(f"{entry}, which {PATH_VARIABLE} names, is no folder; {_ADVICE}")
    if not _present(entry):
        raise DeviceFailureError(f"{entry}, which {PATH_VARIABLE} names, is no entry of configfs-tsm; {_ADVICE}")
    return ReportFolder(entry)


def _present(entry: Path) -> bool:
    """Whether the entry is one of configfs-tsm, created if need be; what the kernel does not fill is removed again."""
    created = not entry.is_dir()
    if created:
        try:
            entry.mkdir()
        except FileExistsError:
            if not entry.is_dir():  # else another process was faster
                raise DeviceFailureError(f"{entry} is no folder of configfs-tsm") from None
        except OSError as error:
            raise DeviceFailureError(f"{entry} cannot be created: {error.strerror}; run as root") from None
    if (entry / "inblob").exists():
        return True
    if created:
        with contextlib.suppress(OSError):
            entry.rmdir()
    return False
