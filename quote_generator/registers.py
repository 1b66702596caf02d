"""RTMR 2 and 3, behind one interface: two ways to read and extend a register.

1. sysfs, Linux 6.16 or newer (kernel document ABI/testing/sysfs-devices-virtual-misc-tdx_guest): the file
   `measurements/rtmr3:sha384` reads the 48 bytes, and writing 48 bytes extends the register by them.
2. `tdx_att_extend` of libtdx_attest, which needs a vendor's kernel (from version 1.25 on, it writes to sysfs itself);
   the value is then read from a TD report.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from . import library, quoting
from .aael import REGISTER_SIZE
from .errors import ExtendFailureError, LibraryNotFoundError, NotSupportedError, ReportFailureError
from .formats import FormatError, parse_report

SYSFS_FOLDER = Path("/sys/devices/virtual/misc/tdx_guest/measurements")
RTMR3 = 3
EXTENDABLE = (2, RTMR3)  # by software of the TD; 0 and 1 are the firmware's and the boot loader's


class Registers(Protocol):
    """How one register is reached. Both calls raise TdxAttestError."""

    @property
    def name(self) -> str:
        """What the register is called in messages."""

    def read(self) -> bytes:
        """The register's current value: 48 bytes."""

    def extend(self, digest: bytes) -> None:
        """RTMR := SHA-384(RTMR || digest), digest of 48 bytes."""


class SysfsRegisters:
    """The kernel's own files."""

    name = "sysfs"

    def __init__(self, folder: Path = SYSFS_FOLDER, index: int = RTMR3) -> None:
        self._file = folder / f"rtmr{index}:sha384"

    @property
    def exists(self) -> bool:
        """Whether this kernel has the file."""
        return self._file.exists()

    def read(self) -> bytes:
        """The register, 48 bytes; TdxAttestError if the kernel refuses."""
        try:
            value = self._file.read_bytes()
        except OSError as error:
            raise ReportFailureError(f"{self._file} cannot be read: {error.strerror}") from None
        if len(value) != REGISTER_SIZE:
            raise ReportFailureError(f"{self._file} holds {len(value)} bytes, not {REGISTER_SIZE}")
        return value

    def extend(self, digest: bytes) -> None:
        """SHA-384(register || digest), by the kernel; `digest` has 48 bytes. TdxAttestError if it refuses."""
        if len(digest) != REGISTER_SIZE:
            raise ValueError(f"a digest has {REGISTER_SIZE} bytes, not {len(digest)}")
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CLOEXEC)
            try:
                written = os.write(descriptor, digest)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ExtendFailureError(f"{self._file} cannot be extended: {error.strerror}; run as root") from None
        if written != REGISTER_SIZE:
            raise ExtendFailureError(f"{self._file} took {written} of {REGISTER_SIZE} bytes")


class LibraryRegisters:
    """libtdx_attest: `tdx_att_extend`, and the TD report for reading."""

    name = "libtdx_attest"

    def __init__(self, index: int = RTMR3) -> None:
        self._index = index

    def read(self) -> bytes:
        """The register, 48 bytes, out of a fresh TDREPORT."""
        try:
            value: bytes = getattr(parse_report(quoting.get_report()).td_info, f"rtmr_{self._index}")
        except FormatError as error:
            raise ReportFailureError(f"the device's TD report is malformed: {error}") from None
        return value

    def extend(self, digest: bytes, event_type: int = 0) -> None:
        """SHA-384(register || digest), by libtdx-attest; `digest` has 48 bytes. TdxAttestError if it refuses."""
        library.get().binding.extend(self._index, bytes(digest), event_type)


def _loaded() -> library.Library | None:
    try:
        return library.get()
    except LibraryNotFoundError:
        return None


def find_registers(sysfs: Path | None = None, index: int = RTMR3) -> SysfsRegisters | LibraryRegisters:
    """The way that works here: sysfs where the kernel has it, else the library; the simulator's own if that is loaded.

    Whether `tdx_att_extend` works is known only after the first try (mainline kernels refuse it). Raises
    NotSupportedError where there is neither.
    """
    folder = sysfs or SYSFS_FOLDER
    loaded, files = _loaded(), SysfsRegisters(folder, index)
    if files.exists and (loaded is None or not loaded.simulated):
        return files
    if loaded is not None:
        return LibraryRegisters(index)
    raise NotSupportedError(
        f"RTMR {index} cannot be reached: there is no {folder}/rtmr{index}:sha384 (Linux 6.16 or newer) and no "
        "libtdx_attest.so.1"
    )


def extend_rtmr(index: int, digest: bytes, *, event_type: int = 0) -> None:
    """RTMR[index] := SHA-384(RTMR[index] || digest): index 2 or 3, a digest of 48 bytes. Until the next boot.

    Through sysfs where the kernel has the register there (Linux 6.16), else through libtdx_attest; only the latter
    hands `event_type` on. Raises ValueError for a wrong size or index, else TdxAttestError.
    """
    if len(digest) != REGISTER_SIZE:
        raise ValueError(f"a digest has {REGISTER_SIZE} bytes, not {len(digest)}")
    if index not in EXTENDABLE:
        raise ValueError(f"an RTMR index is 2 or 3, not {index}")
    found = find_registers(index=index)
    if isinstance(found, LibraryRegisters):
        found.extend(digest, event_type)
    else:
        found.extend(digest)
