"""The calls an integrator makes: quotes, TD reports, attestation keys. Registers are in `registers`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType
from typing import TypeVar

from . import configfs, library
from .errors import BusyError, LibraryNotFoundError, UnsupportedAttKeyIdError

REPORT_DATA_SIZE = 64
ATT_KEY_ID_SIZE = 16
BUSY_TIMEOUT_S = 5.0
_BACKOFF_FIRST_S = 0.005
_BACKOFF_LONGEST_S = 0.25

T = TypeVar("T")


def generate_quote(
    report_data: bytes = b"", *, att_key_ids: Iterable[bytes] | None = None, busy_timeout: float = BUSY_TIMEOUT_S
) -> bytes:
    """A TDX quote over `report_data`.

    report_data: 0 to 64 bytes; zeros are appended up to 64.
    att_key_ids: acceptable attestation keys, 16 bytes each, tried in turn until the platform has one (Intel's library
    refuses a call with more than one); None or none: the platform's own choice.
    busy_timeout: seconds to keep asking a busy device before BusyError is raised; 0 asks once.

    Returns the quote as the device gave it (Intel TDX DCAP Quoting Library API, appendix 3). Uses libtdx_attest, or the
    kernel's configfs-tsm where the library is absent. Raises ValueError for a wrong size, else TdxAttestError.
    """
    data = _padded(report_data)
    ids = [] if att_key_ids is None else _checked(att_key_ids)
    return _patiently(_asker(data, ids), busy_timeout)


def _backend() -> library.Library | configfs.ReportFolder:
    """libtdx_attest, or configfs-tsm where there is no library."""
    try:
        return library.get()
    except LibraryNotFoundError:
        folder = configfs.find()
        if folder is None:
            raise
        return folder


def _asker(data: bytes, ids: list[bytes]) -> Callable[[], bytes]:
    """The call that makes the quote."""
    backend = _backend()
    if isinstance(backend, library.Library):
        return partial(_with_first_key, backend.binding, data, ids or [b""])
    if ids:
        raise ValueError("configfs-tsm cannot choose an attestation key; leave att_key_ids out")
    return partial(backend.quote, data)


def _with_first_key(binding: ModuleType, data: bytes, ids: list[bytes]) -> bytes:
    """The quote under the first of the keys that the platform has; raises for the last where it has none."""
    for one in ids[:-1]:
        with contextlib.suppress(UnsupportedAttKeyIdError):
            return bytes(binding.get_quote(data, one))
    return bytes(binding.get_quote(data, ids[-1]))


def require_backend() -> str:
    """`libtdx_attest` or `configfs-tsm`, whichever quotes come from here; raises TdxAttestError where there is none."""
    return "libtdx_attest" if isinstance(_backend(), library.Library) else "configfs-tsm"


def tee_kind() -> str:
    """`tdx`, or `tdx-simulated`: what made the quotes of this process. Raises TdxAttestError where nothing can."""
    backend = _backend()
    return "tdx-simulated" if isinstance(backend, library.Library) and backend.simulated else "tdx"


def get_report(report_data: bytes = b"") -> bytes:
    """The TDREPORT (1,024 bytes, Intel TDX module specification) over 0 to 64 bytes of report data."""
    report: bytes = library.get().binding.get_report(_padded(report_data))
    return report


def get_supported_key_ids() -> list[bytes]:
    """The platform's attestation key ids, 16 bytes each."""
    ids: list[bytes] = library.get().binding.get_supported_att_key_ids()
    return ids


def _padded(report_data: bytes) -> bytes:
    data = bytes(memoryview(report_data))  # refuses an int, of which bytes() would make zeros
    if len(data) > REPORT_DATA_SIZE:
        raise ValueError(f"report data has at most {REPORT_DATA_SIZE} bytes, not {len(data)}; hash it first")
    return data.ljust(REPORT_DATA_SIZE, b"\0")


def _checked(att_key_ids: Iterable[bytes]) -> list[bytes]:
    ids = [bytes(one) for one in att_key_ids]
    for one in ids:
        if len(one) != ATT_KEY_ID_SIZE:
            raise ValueError(f"an attestation key id has {ATT_KEY_ID_SIZE} bytes, not {len(one)}")
    return ids


def _patiently(call: Callable[[], T], timeout: float) -> T:
    """Repeat `call` while the device is busy: waits of 5 ms, doubling up to 250 ms, until `timeout` has passed."""
    deadline, wait = 0.0, _BACKOFF_FIRST_S
    while True:
        try:
            return call()
        except BusyError:
            now = time.monotonic()
            deadline = deadline or now + timeout
            if now >= deadline:
                raise
        time.sleep(min(wait, deadline - now))
        wait = min(2 * wait, _BACKOFF_LONGEST_S)
