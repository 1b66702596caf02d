"""Obtains upstream's source, from wherever, and lets through only what equals the pinned list, byte for byte."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from scripts.building.stage import Input
from scripts.config import Config
from scripts.errors import PinError
from scripts.run import Runner
from scripts.sources import upstream_files
from scripts.sources.archives import unpack
from scripts.sources.downloads import obtain, obtain_all

NAME = "fetch"
DEPENDS: tuple[str, ...] = ()


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    yield cfg.root / upstream_files.LIST
    yield cfg.source
    if cfg.source == "index":
        yield cfg.pins["source"].sha256
    elif cfg.source == "git":
        yield from (cfg.git_url, cfg.pins.release.upstream_tag)
    else:
        yield Path(cfg.source)


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    listed = upstream_files.read(cfg.root / upstream_files.LIST)
    if cfg.source == "index":
        obtain_all(cfg, run)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".fetch.unpacked.") as work:
        tree, described = _tree(cfg, run, Path(work))
        run.say(f"comparing {described} with the {len(listed)} pinned files")
        upstream_files.take(tree, listed, out, described)


def _tree(cfg: Config, run: Runner, work: Path) -> tuple[Path, str]:
    """The source's tree, not to be trusted yet, and how to call it."""
    if cfg.source == "index":
        archive = obtain(cfg, run, "source")
        return unpack(archive, work), archive.name
    if cfg.source == "git":
        from scripts.sources.gitsource import checkout

        return checkout(cfg, run), f"{cfg.git_url} at {cfg.pins.release.upstream_tag}"
    source = Path(cfg.source)
    return (source if source.is_dir() else unpack(source, work)), cfg.source


def list_upstream(cfg: Config, run: Runner) -> str:
    """The text of the list, from the pinned source distribution."""
    with tempfile.TemporaryDirectory() as work:
        archive = obtain(cfg, run, "source")
        entries = upstream_files.scan(unpack(archive, Path(work)))
    if not entries:
        raise PinError(f"{archive.name} holds no file.")
    pin = cfg.pins["source"]
    comment = f"The files of {pin.filename} (sha256 {pin.sha256}); {upstream_files.__name__} says how to read this."
    return upstream_files.write(entries, comment)
