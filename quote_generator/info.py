"""What this machine has for attestation: device, library, kernel interfaces, the plugin itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import __version__, configfs, library, quoting, registers
from .errors import LibraryNotFoundError, TdxAttestError
from .logfolder import current_boot_id

DEVICES = ("/dev/tdx_guest", "/dev/tdx-guest", "/dev/tdx-attest")  # mainline, and two of older vendor kernels


def collect() -> dict[str, Any]:
    """A JSON-ready description; every question is answered, what cannot be found is null."""
    return {
        "plugin": __version__,
        "kernel": os.uname().release,
        "boot_id": current_boot_id(),
        "devices": [device for device in DEVICES if Path(device).exists()],
        "library": _library(),
        "configfs": str(configfs.REPORT_ROOT) if configfs.REPORT_ROOT.is_dir() else None,
        "quotes_from": _answer(quoting.require_backend),
        "rtmr3_through": _answer(lambda: registers.find_registers().name),
    }


def _library() -> dict[str, Any] | None:
    try:
        found = library.get()
    except LibraryNotFoundError:
        return None
    except TdxAttestError as error:
        return {"error": str(error)}
    return {
        "file": found.file,
        "version": found.version,
        "simulated": found.simulated,
        "built_with_intels_header": found.binding.HAS_INTEL_HEADER,
    }


def _answer(ask: Callable[[], str]) -> str | None:
    try:
        return ask()
    except TdxAttestError:
        return None
