"""The frontend's dependencies, from upstream's lock; not in `frontend`, so that a changed page fetches nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripts.building.files import copy_tree
from scripts.building.stage import Input, Output
from scripts.config import Config
from scripts.run import Runner
from scripts.tools.node import node

NAME = "nodemodules"
DEPENDS = ("patch",)
FILES = ("package.json", "package-lock.json", ".npmrc")


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    yield Output("patch", only=FILES)
    yield cfg.pins["nodejs"].sha256


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    for name in FILES:
        copy_tree(cfg.stage("patch") / name, out / name)
    tools = node(cfg, run)
    # No install scripts: two packages would download from elsewhere, and what the build runs (esbuild, sass) is whole
    # without them. npm itself compares every package with the lock's hash.
    command = [tools.folder / "node", tools.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    run(command, cwd=out, env=tools.environment(cfg), what="npm ci")
