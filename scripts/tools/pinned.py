"""Pinned tools that come as wheels: unpacked once into `CACHE_DIR/tools`, run from there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from scripts.building.locking import exclusive
from scripts.config import Config
from scripts.run import Runner
from scripts.sources.archives import unpack
from scripts.sources.downloads import obtain


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
