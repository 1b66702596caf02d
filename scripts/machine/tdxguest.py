"""What there is of Intel TDX on this machine. Looks, and opens no device."""

from __future__ import annotations

import ctypes
from pathlib import Path

from scripts.errors import MissingError

DEVICES = ("/dev/tdx_guest", "/dev/tdx-guest", "/dev/tdx-attest")
RTMR3 = "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384"
LIBRARY = "libtdx_attest.so.1"


def device() -> str | None:
    """The guest's TDX device, if this is a TD."""
    return next((name for name in DEVICES if Path(name).exists()), None)


def library() -> bool:
    """Whether Intel's attestation library can be loaded."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def require() -> None:
    """Raise MissingError where no quote of real hardware can be had: before a build that takes minutes."""
    if device() is None:
        raise MissingError(
            f"TDX=real, but this machine has no TDX device ({DEVICES[0]}). To try it out without, use TDX=simulated."
        )
