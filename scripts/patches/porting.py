"""Moving to another upstream version: which patches still apply to it, and which hunks do not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from scripts.config import Config
from scripts.errors import UsageError
from scripts.patches import patching
from scripts.sources.archives import unpack
from scripts.sources.gitcmd import INIT, git
from scripts.stages.patch import read_queue


def report(cfg: Config, source: Path) -> bool:
    """Apply the queue to a copy of `source` (a checkout or an archive), as far as it goes; True if all of it fits."""
    if not source.exists():
        raise UsageError(f"{source} does not exist; name a checkout or an archive of the other version.")
    queue = read_queue(cfg)
    with tempfile.TemporaryDirectory() as work:
        tree = _copy(source, Path(work))
        git(INIT, tree)
        whole = True
        for patch in queue.patches:
            outcome = patching.apply(patch, tree)
            whole = whole and not outcome.failures
            print(f"{patch.name}: {'does not fit' if outcome.failures else 'fits'}")
            for line in (*outcome.failures, *outcome.offsets):
                print(f"    {line}")
        for name in queue.new_files:
            if (tree / name).exists():
                print(f"files/{name}: that version has a file of its own there")
                whole = False
    print(_summary(whole))
    return whole


def _copy(source: Path, work: Path) -> Path:
    if source.is_file():
        return unpack(source, work)
    tree = work / "tree"
    shutil.copytree(source, tree, symlinks=True, ignore=shutil.ignore_patterns(".git", "node_modules"))
    return tree


def _summary(whole: bool) -> str:
    if whole:
        return "The whole queue fits. Now change upstream.toml and list upstream's files anew (docs/patches.md)."
    return (
        "Change upstream.toml, run `python -m scripts list-upstream`, "
        "then edit and refresh each patch that does not fit (docs/patches.md)."
    )
