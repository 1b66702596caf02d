"""Editing a patch: open a tree with everything up to it applied, change files, write the difference back."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.building.files import remove, write_durably
from scripts.config import Config
from scripts.errors import MissingError, PatchError, UsageError
from scripts.patches import patching, patchqueue
from scripts.patches.patchqueue import Patch
from scripts.sources import upstream_files
from scripts.sources.gitcmd import INIT, git
from scripts.stages.patch import read_queue

TEMPLATE = "What: (one line: what changes for whom)\nWhy: ...\nUpstream-status: ...\nDrop-when: ...\n---\n"


def tree(cfg: Config) -> Path:
    """Where a patch is edited: a git repository."""
    return cfg.build / "edit"


def begin(cfg: Config, name: str) -> str:
    """Make build/edit: a git repository whose last commit is upstream with the patches before `name`, and in whose
    files `name` itself is applied (as far as it fits). A name not in the series starts a new patch at its end."""
    if not cfg.stage("fetch").is_dir():
        raise MissingError("The pristine source is not there; run `make stage-fetch` first.")
    if "/" in name or not name.endswith(".patch"):
        raise UsageError(f"{name} is not a bare name that ends with .patch.")
    queue = read_queue(cfg)
    names = [patch.name for patch in queue.patches]
    at = names.index(name) if name in names else len(names)
    folder = tree(cfg)
    remove(folder)
    shutil.copytree(cfg.stage("fetch"), folder)
    git(INIT, folder)
    for patch in queue.patches[:at]:
        _must_apply(patch, folder)
    git(["add", "--all", "--force", "."], folder)
    git(["commit", "--quiet", "--no-verify", "-m", f"before {name}"], folder)
    failures = patching.apply(queue.patches[at], folder).failures if at < len(names) else ()
    told = "".join(f"\n    to do by hand: {failure}" for failure in failures)
    return f"Change files in {folder}, then run `make refresh PATCH={name}`.{told}"


def finish(cfg: Config, name: str) -> str:
    """Write the difference of build/edit to its last commit into `patches/name`, keeping the header."""
    folder = tree(cfg)
    subject = git(["log", "-1", "--format=%s"], folder).strip() if (folder / ".git").is_dir() else ""
    if subject != f"before {name}":
        raise UsageError(f"{folder} was not opened for {name}; run `make edit PATCH={name}` first.")
    diff = git(["diff", "--no-color", "--no-ext-diff", "--no-renames", "HEAD"], folder)
    if not diff:
        raise PatchError(f"Nothing differs in {folder}; {name} was not written.")
    path = cfg.root / "patches" / name
    head = path.read_text(encoding="utf-8").partition("\n---\n")[0] + "\n---\n" if path.exists() else TEMPLATE
    write_durably(path, (head + diff).encode())
    listed = patchqueue.series(path.parent)
    if name not in listed:
        with (path.parent / "series").open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    patchqueue.read(path.parent, upstream_files.read(cfg.root / upstream_files.LIST))
    return f"{path} is written. `make build` applies the whole queue again."


def _must_apply(patch: Patch, folder: Path) -> None:
    failures = patching.apply(patch, folder).failures
    if failures:
        raise PatchError(f"{patch.name}, which comes before, does not apply itself: {'; '.join(failures)}.")
