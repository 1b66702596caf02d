"""The commands of the package `web/`, run by the pinned npm with the locked dependencies."""

from __future__ import annotations

from scripts.building.fingerprint import file_sha256
from scripts.checks.parts import call
from scripts.config import Config
from scripts.run import Runner
from scripts.tools.node import node


def npm(cfg: Config, run: Runner, *arguments: str) -> None:
    """`npm ARGUMENTS` in `web/`, after its dependencies are installed; CommandError if it fails."""
    folder = cfg.root / "web"
    tool = node(cfg, run)
    environment = tool.environment(cfg)
    program = [tool.folder / "node", tool.npm]
    locked, marker = file_sha256(folder / "package-lock.json"), folder / "node_modules" / ".locked"
    if not marker.is_file() or marker.read_text() != locked:
        run([*program, "ci", "--ignore-scripts"], cwd=folder, env=environment)
        marker.write_text(locked)
    call([*program, *arguments], folder, environment)
