"""The verifier's readers of boot event logs, without their package, which imports what a build lacks."""

from __future__ import annotations

import importlib
import sys
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

from scripts.image.prediction import Expected

_SOURCES = Path(__file__).resolve().parents[2] / "quote_verifier" / "src" / "quote_verifier"
_PACKAGE = "measured_boot"  # as in the image (tree.py)


def _module(name: str) -> ModuleType:
    if _PACKAGE not in sys.modules:
        spec = util.spec_from_file_location(
            _PACKAGE, _SOURCES / "errors.py", submodule_search_locations=[str(_SOURCES)]
        )
        if spec is None:
            raise ImportError(f"{_SOURCES} cannot be read")
        sys.modules[_PACKAGE] = util.module_from_spec(spec)
    return importlib.import_module(f"{_PACKAGE}.{name}")


def events(body: dict[str, str], boot_log: Any) -> dict[str, list[Expected]]:
    """The events of `rtmr_0` to `rtmr_2`, as the evidence's `boot_log` tells them, with what verifiers call them.

    `body`: the quote's registers, lower-case hex. A register to which the log does not replay is left out, and so is
    each where there is no log that can be read.
    """
    told, reading, errors = (_module(name) for name in ("boot_events", "boot_log", "errors"))
    try:
        logged = told.read(boot_log)
    except errors.Malformed:
        return {}
    found = {}
    for number, name in enumerate(told.REGISTERS):
        mine = [event for event in logged if event.register == number]
        if mine and reading.extended(event.digest for event in mine).hex() == body[name]:
            found[name] = [Expected(event.kind, event.digest, told.name_of(event)) for event in mine]
    return found
