"""Our components of the pages, typed by upstream's own svelte-check within its source; a build has to be there."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from scripts.building.files import copy_tree
from scripts.config import Config
from scripts.errors import CommandError
from scripts.run import Runner
from scripts.stages import outputs, web
from scripts.tools.node import node

SOURCES = ("src", "static", "package.json", ".npmrc", "svelte.config.js", "vite.config.ts", "tsconfig.json")
PAGES = "patches/files/src"
OURS = ("src/lib/tee/", "src/lib/components/tee/", "src/hooks.client.ts")
CONFIG = "tsconfig.tee.json"
STAGES = ("patch", "nodemodules", "web")


def missing(cfg: Config) -> list[str]:
    """The stages that have to be built first."""
    return [name for name in STAGES if not cfg.stage(name).is_dir()]


def examine(cfg: Config, run: Runner) -> list[str]:
    """What svelte-check says of our files, one line each; upstream's own files are left alone."""
    tool = node(cfg, run)
    environment = tool.environment(cfg)
    with tempfile.TemporaryDirectory(dir=cfg.build, prefix=".svelte.work.") as folder:
        work = Path(folder)
        _prepare(cfg, work)
        program = [tool.folder / "node", "node_modules/@sveltejs/kit/svelte-kit.js", "sync"]
        run(program, cwd=work, env=environment, what="svelte-kit sync")
        check: list[str | Path] = [
            tool.folder / "node",
            "node_modules/svelte-check/bin/svelte-check",
            "--output",
            "machine",
        ]
        check += ["--tsconfig", f"./{CONFIG}"]
        done = subprocess.run(check, cwd=work, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=False)
    return findings(done.stdout.decode("utf-8", "replace"))


def findings(text: str) -> list[str]:
    """The errors and warnings in our files, of svelte-check's output for machines. CommandError if it did not end."""
    lines = [line.split(" ", 1)[1] for line in text.splitlines() if " " in line]
    if not any(line.startswith("COMPLETED") for line in lines):
        raise CommandError(f"svelte-check did not end: {text[-500:]}")
    problems = [line for line in lines if line.startswith(("ERROR", "WARNING"))]
    return [line for line in problems if line.split('"')[1].startswith(OURS)]


def _prepare(cfg: Config, work: Path) -> None:
    """Upstream's source as patched, with our files and `web/` as they are now, not as they were built."""
    for name in SOURCES:
        copy_tree(cfg.stage("patch") / name, work / name)
    (work / "node_modules").symlink_to(cfg.stage("nodemodules") / "node_modules")
    copy_tree(cfg.root / PAGES, work / "src")
    place = work / outputs.PAGES_PLACE
    copy_tree(cfg.stage("web") / outputs.PAGES, place)
    for name in ("client", "shared"):
        copy_tree(cfg.root / "web" / "src" / name, place / name)
    copy_tree(cfg.root / web.DATA, place / "data")
    include = [".svelte-kit/ambient.d.ts", ".svelte-kit/non-ambient.d.ts", "src/app.d.ts"]
    include += ["src/lib/tee/**/*.ts", "src/lib/components/tee/*.svelte", "src/hooks.client.ts"]
    settings = {"extends": "./tsconfig.json", "include": include, "exclude": []}
    (work / CONFIG).write_text(json.dumps(settings), encoding="utf-8")
