"""Locks the environments of the tool, the tests and the set-up of hosts: each package with its hashes, no address."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.building.files import write_durably
from scripts.config import Config
from scripts.run import Runner
from scripts.sources.registry import uv_environment

PARTS = ("scripts", "tests", "deploy")


def lock(cfg: Config, run: Runner) -> None:
    """Make each part's `requirements.lock` from the `requirements.in` beside it."""
    uv = Path(sys.executable).parent / "uv"
    options = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--only-binary", ":all:"]
    plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--no-emit-build-options"]
    constraints: list[str | Path] = []
    for part in PARTS:
        source, result = (cfg.root / part / f"requirements.{end}" for end in ("in", "lock"))
        out = cfg.build / f"{part}.lock"
        out.parent.mkdir(parents=True, exist_ok=True)
        command = [uv, "pip", "compile", *options, *plain, "--python", sys.executable, *constraints, source, "-o", out]
        run(command, cwd=cfg.root, env=uv_environment(cfg, locking=True))
        text = f"# Made by `make lock` from {part}/requirements.in.\n" + out.read_text(encoding="utf-8")
        write_durably(result, text.encode())
        constraints = ["--constraint", result]  # the later ones hold the very versions of the earlier
