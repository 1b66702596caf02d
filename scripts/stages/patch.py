"""Applies the patch queue to the fetched source, then adds the new files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripts.building.files import copy_tree
from scripts.building.stage import Input, Output
from scripts.config import Config
from scripts.patches import patching, patchqueue
from scripts.run import Runner
from scripts.sources import upstream_files

NAME = "patch"
DEPENDS = ("fetch",)


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    yield Output("fetch")
    yield cfg.root / "patches"


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    queue = read_queue(cfg)
    copy_tree(cfg.stage("fetch"), out, ())
    run.say(f"applying {len(queue.patches)} patches, adding {len(queue.new_files)} files")
    for outcome in patching.apply_queue(queue, out):
        for offset in outcome.offsets:
            run.say(f"{outcome.patch}: {offset}")


def read_queue(cfg: Config) -> patchqueue.Queue:
    """The queue, checked against the list of upstream's files."""
    return patchqueue.read(cfg.root / "patches", upstream_files.read(cfg.root / upstream_files.LIST))
