"""The backend's locks: what each profile installs, as pinned requirements with hashes.

`full.txt` is upstream's list, resolved; slim is full.txt minus `slim-removals.toml`; `own.txt` is what we add to both.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from scripts.errors import PinError

FOLDER = Path(__file__).resolve().parent
_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
_VIA = re.compile(r"    #\s+(?:via\s+)?((?!via$)\S.*)")


@dataclass(frozen=True)
class Locked:
    """One package of a lock."""

    name: str
    version: str
    text: str  # the pin and its hashes, as in the lock file, without comments
    via: frozenset[str]  # who asks for it: package names, and "-r FILE" for the requirement list itself


@dataclass(frozen=True)
class Removals:
    """`slim-removals.toml`."""

    remove: Mapping[str, str]
    orphans: tuple[str, ...]
    keep: Mapping[str, str]


def read(path: Path) -> dict[str, Locked]:
    """The packages of a lock file in its order; PinError for a line that is not understood or has no hash."""
    found: dict[str, Locked] = {}
    pin: re.Match[str] | None = None
    text: list[str] = []
    via: set[str] = set()

    def finish() -> None:
        if pin is not None:
            if len(text) < 2:
                raise PinError(
                    f"{path.name}: {pin['name']} has no hash; make the locks anew with: python -m scripts.locks"
                )
            found[pin["name"]] = Locked(pin["name"], pin["version"], "".join(text), frozenset(via))

    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if new := _PIN.match(line):
            finish()
            pin, text, via = new, [line + "\n"], set()
        elif _HASH.fullmatch(line):
            text.append(line + "\n")
        elif asks := _VIA.fullmatch(line):
            via.add(asks[1])
        elif line.strip() not in ("", "# via") and not line.startswith("#"):
            raise PinError(f"{path.name}, line {number} is not understood: {line!r}.")
    finish()
    return found


def removals(path: Path = FOLDER / "slim-removals.toml") -> Removals:
    """Read the list of removals; PinError for a table or value that is not expected."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if set(document) != {"remove", "orphans", "keep"} or set(document["orphans"]) != {"names"}:
        raise PinError(f"{path.name} must hold the tables remove, orphans (with names) and keep, and nothing else.")
    for table in ("remove", "keep"):
        for name, why in document[table].items():
            if not isinstance(why, str) or not why.strip():
                raise PinError(f"{path.name}: {name} does not say why.")
    return Removals(document["remove"], tuple(document["orphans"]["names"]), document["keep"])


def slim(full: Mapping[str, Locked], listed: Removals) -> dict[str, Locked]:
    """The full lock without what is listed; PinError for a listed name that the lock does not have."""
    patterns = (*listed.remove, *listed.orphans)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in full):
            raise PinError(f"slim-removals.toml removes {pattern}, which full.txt does not have.")
    return {name: entry for name, entry in full.items() if not any(fnmatchcase(name, pattern) for pattern in patterns)}


def orphans(full: Mapping[str, Locked], listed: Removals) -> set[str]:
    """What nothing that stays asks for, once `remove` is gone, except what is listed to be kept."""
    gone = {name for name in full if any(fnmatchcase(name, pattern) for pattern in listed.remove)}
    roots = set(gone)
    kept = listed.keep.keys()
    while more := {name for name, entry in full.items() if name not in gone | kept and entry.via and entry.via <= gone}:
        gone |= more
    return gone - roots


def profile(name: str) -> dict[str, Locked]:
    """What PROFILE=`name` installs, our own additions included."""
    full = read(FOLDER / "full.txt")
    chosen = slim(full, removals()) if name == "slim" else full
    own = read(FOLDER / "own.txt")
    for both in chosen.keys() & own.keys():
        if chosen[both].text != own[both].text:
            raise PinError(f"own.txt and full.txt lock {both} differently.")
    return {**chosen, **own}


def render(packages: Iterable[Locked]) -> str:
    """A requirements file with hashes, sorted by name."""
    return "".join(entry.text for entry in sorted(packages, key=lambda entry: entry.name))
