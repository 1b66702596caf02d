"""Every status of libtdx_attest as an exception class, from one table.

The numbers are those of `tdx_attest.h` (Intel DCAP). Each exception carries its number in `.code`.
"""

from __future__ import annotations

from typing import ClassVar


class TdxAttestError(Exception):
    """An attestation call failed. `.code` is the class's status number; an unknown status of the library's is kept.

    The number is there too where the kernel answered (configfs-tsm, sysfs) and no library: the same failure has the
    same number on every way. It is None only for `LibraryNotFoundError`, and where a file loaded is no libtdx_attest.
    """

    status: ClassVar[int | None] = None
    advice: ClassVar[str] = "the library reports a status this version does not know"

    def __init__(self, message: str | None = None, code: int | None = None) -> None:
        super().__init__(message if message is not None else self.advice)
        self.code: int | None = self.status if code is None else code


class UnexpectedError(TdxAttestError):
    """Status 0x1: an internal error."""

    status = 0x1
    advice = "an internal error of the library or its quoting service"


class InvalidParameterError(TdxAttestError):
    """Status 0x2: a parameter was refused."""

    status = 0x2
    advice = "the library refused a parameter"


class OutOfMemoryError(TdxAttestError):
    """Status 0x3: no memory."""

    status = 0x3
    advice = "the library ran out of memory"


class VsockFailureError(TdxAttestError):
    """Status 0x4: the quote generation service cannot be reached."""

    status = 0x4
    advice = (
        "the quote generation service cannot be reached over vsock; "
        "check the port in /etc/tdx-attest.conf and that the host runs qgsd"
    )


class ReportFailureError(TdxAttestError):
    """Status 0x5: no TD report."""

    status = 0x5
    advice = "the TDX module gave no TD report"


class ExtendFailureError(TdxAttestError):
    """Status 0x6: the register was not extended."""

    status = 0x6
    advice = "the register was not extended; mainline kernels extend only through sysfs (Linux 6.16 or newer)"


class NotSupportedError(TdxAttestError):
    """Status 0x7: kernel or library cannot do it."""

    status = 0x7
    advice = "this kernel or library does not support the request"


class QuoteFailureError(TdxAttestError):
    """Status 0x8: the quoting enclave made no quote."""

    status = 0x8
    advice = "the quoting enclave made no quote; look at the log of qgsd on the host"


class BusyError(TdxAttestError):
    """Status 0x9: the device is busy."""

    status = 0x9
    advice = "the device is busy with another quote; ask again later"


class DeviceFailureError(TdxAttestError):
    """Status 0xa: the device failed."""

    status = 0xA
    advice = (
        "the TDX device cannot be used; this must be a TDX confidential VM with /dev/tdx_guest, "
        "and the user must be allowed to open it"
    )


class InvalidRtmrIndexError(TdxAttestError):
    """Status 0xb: not a register that can be extended."""

    status = 0xB
    advice = "only RTMR 2 and 3 can be extended by software"


class UnsupportedAttKeyIdError(TdxAttestError):
    """Status 0xc: no such attestation key."""

    status = 0xC
    advice = "the platform has none of the requested attestation keys"


class LibraryNotFoundError(TdxAttestError):
    """Neither libtdx_attest nor another way to a quote exists on this machine. `.code` is None."""

    advice = (
        "libtdx_attest.so.1 is not installed; it comes with a TDX confidential VM: "
        "`yum install libtdx-attest` on Alibaba Cloud Linux 3, "
        "`dnf install libtdx-attest` on other RPM distributions or `apt install libtdx-attest` on Debian and Ubuntu "
        "(both from Intel's SGX/TDX repository)"
    )


BY_STATUS: dict[int, type[TdxAttestError]] = {
    cls.status: cls for cls in TdxAttestError.__subclasses__() if cls.status is not None
}


def from_status(status: int, call: str) -> TdxAttestError:
    """The exception for a non-zero status that `call` answered; an unknown status is a plain TdxAttestError."""
    cls = BY_STATUS.get(status, TdxAttestError)
    return cls(f"{call} failed with status {status:#x}: {cls.advice}", status)
