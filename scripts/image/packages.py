"""`image/packages.toml` (which Debian packages) and `image/packages.lock` (exactly which bytes of them).

A line of the lock: part, package, version, size in bytes, SHA-256, and the path below a Debian mirror; no host's name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import PinError

LIST, LOCK = "image/packages.toml", "image/packages.lock"
SUITES = ("bookworm", "trixie", "trixie-backports")
HEADER = (
    "# Made by `make lock-image` from image/packages.toml: part, package, version, bytes, SHA-256, path on a mirror.\n"
)
_LINE = re.compile(
    r"(?P<part>[a-z]+) (?P<name>[a-z0-9][a-z0-9.+-]+) (?P<version>[0-9][0-9A-Za-z.+:~-]*) (?P<size>[1-9][0-9]*) "
    r"(?P<sha256>[0-9a-f]{64}) (?P<path>pool/[A-Za-z0-9_.+~%/-]+\.deb)"
)


@dataclass(frozen=True)
class Part:
    """One part of the image: the suite its packages come from, and their names (`*` stands for a kernel's version)."""

    suite: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Package:
    """One pinned package."""

    part: str
    name: str
    version: str
    size: int  # bytes
    sha256: str  # 64 lower-case hex digits
    path: str  # below a Debian mirror

    @property
    def line(self) -> str:
        """Its line of the lock."""
        return f"{self.part} {self.name} {self.version} {self.size} {self.sha256} {self.path}"


def wanted(root: Path) -> dict[str, Part]:
    """The parts of `image/packages.toml`. Raises PinError."""
    try:
        document = tomllib.loads((root / LIST).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PinError(f"{LIST} cannot be read: {error}.") from None
    for name, table in document.items():
        if not isinstance(table, dict) or set(table) != {"suite", "packages"} or table["suite"] not in SUITES:
            raise PinError(f"{LIST}: [{name}] needs packages and a suite, one of {', '.join(SUITES)}.")
    return {name: Part(table["suite"], tuple(table["packages"])) for name, table in document.items()}


def locked(root: Path) -> tuple[Package, ...]:
    """The lock, held against the list: each package of it once, nothing else. Raises PinError."""
    packages = tuple(read((root / LOCK).read_text(encoding="utf-8").splitlines()))
    have = {(package.part, package.name) for package in packages}
    if len(have) != len(packages):
        raise PinError(f"{LOCK} names a package twice; run `make lock-image`.")
    asked = [(part, pattern) for part, item in wanted(root).items() for pattern in item.packages]
    for part, pattern in asked:
        found = {pair for pair in have if pair[0] == part and matches(pattern, pair[1])}
        if len(found) != 1:
            raise PinError(
                f"{LOCK} has {len(found)} packages for {pattern} of [{part}], expected 1; run `make lock-image`."
            )
        have -= found
    if have:
        raise PinError(f"{LOCK} has {sorted(have)[0][1]}, which {LIST} does not list; run `make lock-image`.")
    return packages


def matches(pattern: str, name: str) -> bool:
    """Whether a package is the one that a list's entry means; `*` is a kernel's version, such as 6.16.3+deb13."""
    expression = re.escape(pattern).replace(r"\*", r"[0-9]+\.[0-9]+\.[0-9]+\+[a-z0-9.~]+")
    return re.fullmatch(expression, name) is not None


def read(lines: Iterable[str]) -> Iterable[Package]:
    """The packages of a lock's lines. Raises PinError that names the line."""
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise PinError(f"{LOCK}, line {number} is not a package's: {line[:80]!r}; run `make lock-image`.")
        values = found.groupdict()
        yield Package(**{**values, "size": int(values["size"])})  # type: ignore[arg-type]


def write(packages: Iterable[Package]) -> str:
    """The text of a lock."""
    return HEADER + "".join(f"{package.line}\n" for package in packages)
