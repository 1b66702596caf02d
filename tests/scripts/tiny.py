"""A tiny upstream of four files, its source distribution, and a project that pins it: whole builds in milliseconds."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from scripts.config import Config
from scripts.run import Runner
from scripts.sources.pins import Pin

LINES = "".join(f"line {number}\n" for number in range(1, 31))
UPSTREAM = {
    "README.md": "Upstream\n",
    "src/app.txt": LINES,
    "backend/main.py": "routers = []\n",
    "run.sh": "#!/bin/sh\n",
}
GITIGNORE = "node_modules\n*.log\n"
HEADER = "What: Change a line.\nWhy: A test needs it.\nUpstream-status: none\nDrop-when: never\n---\n"


@dataclasses.dataclass
class Project:
    """A repository root under `tmp_path`, and the tree of the upstream that it pins."""

    cfg: Config
    tree: Path  # upstream, pristine
    sdist: Path

    def with_(self, **changes: Any) -> Config:
        return dataclasses.replace(self.cfg, **changes)

    def runner(self, name: str = "test") -> Runner:
        return Runner(name, self.cfg.logs / f"{name}.log")

    def patch(self, name: str, text: str, listed: bool = True) -> None:
        (self.cfg.root / "patches" / name).write_text(text)
        if listed:
            with (self.cfg.root / "patches" / "series").open("a") as file:
                file.write(f"{name}\n")

    def new_file(self, name: str, text: str) -> None:
        place = self.cfg.root / "patches" / "files" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def diff(path: str, old: str, new: str, at: int, before: list[str], after: list[str]) -> str:
    """A unified diff of one hunk that replaces line `old` by `new`, at line `at` of the first context line."""
    count = len(before) + len(after) + 1
    body = [f" {line}" for line in before] + [f"-{old}", f"+{new}"] + [f" {line}" for line in after]
    head = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -{at},{count} +{at},{count} @@\n"
    return head + "\n".join(body) + "\n"


def line_patch(number: int, new: str, path: str = "src/app.txt", expected: str | None = None) -> str:
    """A whole patch that changes line `number` of src/app.txt."""
    before = [f"line {n}" for n in range(number - 2, number)]
    after = [f"line {n}" for n in range(number + 1, number + 3)]
    return HEADER + diff(path, expected or f"line {number}", new, number - 2, before, after)


def write_tree(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        place = tree / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(0o755 if name.endswith(".sh") else 0o644)


def make_sdist(tree: Path, path: Path) -> None:
    (tree / "PKG-INFO").write_text("Name: fake\n")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, "fake-1.0")
    (tree / "PKG-INFO").unlink()


def pin(path: Path, project: str = "fake", why: str = "a test") -> Pin:
    content = path.read_bytes()
    return Pin(project, "1.0", path.name, hashlib.sha256(content).hexdigest(), len(content), why)


def sh(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
