"""Finding libtdx_attest at first use, through the system's loader.

The addresses come from ctypes, the calls go through the compiled binding: so the extension itself needs no symbol of
the dynamic loader (whose version changed in glibc 2.34), and a wheel built on a new system runs on an old one.
"""

from __future__ import annotations

import ctypes
import platform
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from .errors import LibraryNotFoundError, TdxAttestError

SONAME = "libtdx_attest.so.1"
SIMULATOR_MARKER = "tdx_attest_simulator"
FUNCTIONS = (
    "tdx_att_get_quote",
    "tdx_att_free_quote",
    "tdx_att_get_report",
    "tdx_att_extend",
    "tdx_att_get_supported_att_key_ids",
)


@dataclass(frozen=True)
class Library:
    """A loaded library: the name it was asked by, the file behind it, its version, whether it is the simulator."""

    name: str
    file: str
    version: str
    simulated: bool
    binding: ModuleType


_lock = threading.Lock()
_loaded: Library | None = None


def load(name: str = SONAME) -> Library:
    """Load and bind the library `name` (a file name for the loader, or a path); replaces one loaded before.

    Raises LibraryNotFoundError where there is none, TdxAttestError where it is not libtdx_attest.
    """
    global _loaded
    with _lock:
        _loaded = _open(name)
        return _loaded


def get() -> Library:
    """The library in use, loaded at the first call."""
    return _loaded or _load_once()


def _load_once() -> Library:
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _open(SONAME)
        return _loaded


def _open(name: str) -> Library:
    binding = _extension()
    try:
        handle = ctypes.CDLL(name)
    except OSError as error:
        if name == SONAME and "No such file" in str(error):
            raise LibraryNotFoundError() from None
        raise LibraryNotFoundError(f"{name} cannot be loaded: {error}") from None
    addresses = []
    for function in FUNCTIONS:
        try:
            addresses.append(ctypes.cast(getattr(handle, function), ctypes.c_void_p).value or 0)
        except AttributeError:
            raise TdxAttestError(f"{name} is not libtdx_attest: it has no function {function}") from None
    binding.bind(*addresses)
    file = _mapped_file(addresses[0])
    return Library(name, file, _version(file), hasattr(handle, SIMULATOR_MARKER), binding)


def _extension() -> ModuleType:
    try:
        from . import _binding
    except ImportError as error:
        if platform.machine() != "x86_64":
            raise TdxAttestError(
                f"Intel TDX is on x86-64 only, and this machine is {platform.machine()}: it can read quotes, "
                "not make them"
            ) from None
        raise TdxAttestError(
            f"the compiled part of quote_generator is missing ({error}); "
            "install the package with `pip install .` instead of importing its source folder"
        ) from None
    return _binding


def _mapped_file(address: int) -> str:
    """The file mapped at an address, links resolved: its name carries the version."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, path = line.split(maxsplit=5)
        first, last = (int(end, 16) for end in span.split("-"))
        if first <= address < last:
            return str(Path(path).resolve())
    return ""


def _version(file: str) -> str:
    found = re.search(r"\.so\.(\d[\d.]*)$", file)
    return found[1] if found else "unknown"
