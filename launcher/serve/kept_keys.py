"""The door's drawn TLS key, its account at a CA and its certificate, kept in encrypted data from boot to boot.

The door itself has no way into that folder. It is told what lies there once everything serves, and what it keeps for
this boot, in the file that it was given open, is copied there: never over another key, which it has not taken up yet.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from door.keeping import KEY, LASTING, Keep

from ..files import beside
from ..plan.launch import Launch

DRAWN = ("self-signed", "acme")


def read(launch: Launch) -> dict[str, str]:
    """What lies in the open data for the door; {} where it draws no key, or nothing was kept."""
    if launch.settings.tls not in DRAWN:
        return {}
    with suppress(OSError, ValueError):
        found = json.loads(launch.data.door.read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    return {}


@dataclass
class Keys:
    """Copies what the door keeps in `keep` (a descriptor) into the open data of `launch`."""

    launch: Launch
    keep: int
    _seen: tuple[int, int] = (-1, -1)

    def tend(self) -> None:
        """To be called now and then."""
        state = os.fstat(self.keep)
        now = state.st_size, state.st_mtime_ns
        if self.launch.settings.tls not in DRAWN or now == self._seen:
            return
        self._seen = now
        kept = Keep(self.keep)
        wanted, found = {name: kept.get(name) for name in LASTING}, read(self.launch)
        if not wanted[KEY] or found == wanted or found.get(KEY, wanted[KEY]) != wanted[KEY]:
            return
        with suppress(OSError), beside(self.launch.data.door) as fresh:  # a full disk ends no service
            _write(fresh, json.dumps(wanted).encode())


def _write(path: Path, content: bytes) -> None:
    """A file that only root may read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
