"""Compressed siblings of the pages' files, for the door: the same bytes on every machine, whatever its zlib."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.config import Config
from scripts.run import Runner
from scripts.tools.node import node

SCRIPT = "scripts/release/compress.mjs"
#: JavaScript alone, and in upstream's lock: a compiled zlib is another one on another machine.
FFLATE = "node_modules/fflate/esm/index.mjs"


def write(cfg: Config, run: Runner, pages: Path, out: Path) -> None:
    """Write into `out` the tree of `pages`, with `.gz` behind the names, and only what shrinks."""
    tools = node(cfg, run)
    command = [tools.folder / "node", cfg.root / SCRIPT, cfg.stage("nodemodules") / FFLATE, pages, out]
    environment: dict[str, str | None] = {name: None for name in os.environ if name not in ("PATH", "TMPDIR")}
    run(command, cwd=cfg.root, env=environment | tools.environment(cfg), what="compress")
