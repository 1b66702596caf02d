"""RTMR 3, behind one interface: two ways to read and extend it.

1. sysfs, Linux 6.16 or newer (kernel document ABI/testing/sysfs-devices-virtual-misc-tdx_guest): the file
   `measurements/rtmr3:sha384` reads the 48 bytes, and writing 48 bytes extends the register by them.
2. `tdx_att_extend` of libtdx_attest, which needs a vendor's kernel; the value is then read from a TD report.
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
RTMR3_FILE = "rtmr3:sha384"
RTMR3 = 3


class Registers(Protocol):
    """How RTMR 3 is reached. Both calls raise TdxAttestError."""

    @property
    def name(self) -> str: ...

    def read(self) -> bytes:
        """The current value of RTMR 3: 48 bytes."""

    def extend(self, digest: bytes) -> None:
        """RTMR 3 := SHA-384(RTMR 3 || digest), digest of 48 bytes."""


class SysfsRegisters:
    """The kernel's own files."""

    name = "sysfs"

    def __init__(self, folder: Path = SYSFS_FOLDER) -> None:
        self._file = folder / RTMR3_FILE

    def read(self) -> bytes:
        try:
            value = self._file.read_bytes()
        except OSError as error:
            raise ReportFailureError(f"{self._file} cannot be read: {error.strerror}") from None
        if len(value) != REGISTER_SIZE:
            raise ReportFailureError(f"{self._file} holds {len(value)} bytes, not {REGISTER_SIZE}")
        return value

    def extend(self, digest: bytes) -> None:
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

    def read(self) -> bytes:
        try:
            return parse_report(quoting.get_report()).td_info.rtmr_3
        except FormatError as error:
            raise ReportFailureError(f"the device's TD report is malformed: {error}") from None

    def extend(self, digest: bytes) -> None:
        quoting.extend_rtmr(RTMR3, digest)


def find_registers(sysfs: Path = SYSFS_FOLDER) -> Registers:
    """The way that works here: sysfs where the kernel has it, else the library; the simulator's own if that is loaded.

    Whether `tdx_att_extend` works is known only after the first try (mainline kernels refuse it). Raises
    NotSupportedError where there is neither.
    """
    try:
        loaded = library.get()
    except LibraryNotFoundError:
        loaded = None
    if (loaded is None or not loaded.simulated) and (sysfs / RTMR3_FILE).exists():
        return SysfsRegisters(sysfs)
    if loaded is not None:
        return LibraryRegisters()
    raise NotSupportedError(
        f"RTMR 3 cannot be reached: there is no {sysfs / RTMR3_FILE} (Linux 6.16 or newer) and no libtdx_attest.so.1"
    )
