"""`release.json`: every file of a release with its SHA-384 and size, and what the release was made of.

Canonical JSON (RFC 8785); its own SHA-384 is the digest that a launch measures and a verifier expects.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rfc8785

from launcher.measure.hashing import Digest, digest_files
from scripts import locks
from scripts.building.files import walk
from scripts.building.fingerprint import digest
from scripts.config import Config
from scripts.errors import MismatchError

NAME = "release.json"
TOOLS = ("Cython", "setuptools", "uv")


def describe(cfg: Config) -> dict[str, Any]:
    """All of the manifest that follows from the repository and the tools alone."""
    release = cfg.pins.release
    return {
        "v": 1,
        "name": "open-webui-tdx",
        "version": release.version,
        "architecture": "x86_64",
        "python": cfg.python_version,
        "profile": cfg.profile,
        "upstream": {"name": "open-webui", "version": release.upstream_version},
        "inputs": {
            "files": {name: {"filename": pin.filename, "sha256": pin.sha256} for name, pin in cfg.pins.files.items()},
            "backend": _sha256(locks.render(locks.profile(cfg.profile).values())),
            "frontend": _file_sha256(cfg.stage("patch") / "package-lock.json"),
            "web-verifier": _file_sha256(cfg.root / "web" / "package-lock.json"),
        },
        "patches": digest(cfg.root / "patches"),
        "tools": {
            **{name.lower(): importlib.metadata.version(name) for name in TOOLS},
            "node": cfg.pins["nodejs"].version,
            "zig": cfg.pins["zig"].version,
        },
    }


def files(release: Path) -> list[dict[str, Any]]:
    """Path (relative, `/` between), SHA-384 (hex), size in bytes and executable bit of every file, sorted by path.

    MismatchError for a link or anything else that is not a file: a manifest could not vouch for it.
    """
    modes = {release / path: mode for path, mode in _modes(release) if path != NAME}
    found = []
    for full, result in digest_files(modes, "sha384").items():
        if not isinstance(result, Digest):
            raise result
        path = full.relative_to(release).as_posix()
        found.append({"path": path, "sha384": result.hex, "size": result.size, "executable": bool(modes[full] & 0o100)})
    return sorted(found, key=lambda entry: str(entry["path"]))


def write(release: Path, description: dict[str, Any]) -> str:
    """Write the manifest of what is in `release` and return its SHA-384, hex."""
    content = rfc8785.dumps({**description, "files": files(release)})
    (release / NAME).write_bytes(content)
    (release / NAME).chmod(0o644)
    return hashlib.sha384(content).hexdigest()


def _modes(release: Path) -> Iterator[tuple[str, int]]:
    for name, path, state in walk(release):
        if stat.S_ISREG(state.st_mode):
            yield name, state.st_mode
        elif not stat.S_ISDIR(state.st_mode):
            raise MismatchError(f"{path} is a link or no regular file; a release holds files only.")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
