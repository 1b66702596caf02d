"""`make lint`: types and style of everything that is ours, and what the documentation names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from scripts.checks import documents, svelte, web
from scripts.checks.parts import NotRunError, Part, call, report, tests_python
from scripts.config import Config
from scripts.errors import CommandError, UsageError
from scripts.machine.deploying import deploy_python
from scripts.patches import patchqueue
from scripts.run import Runner
from scripts.sources import upstream_files

WEB_SCRIPTS = ("check", "lint")
"""Of web/package.json: what checks the types and the style of its TypeScript, and of our components of the pages."""

SCHEMAS = {
    "github-workflows": "workflows/*.yml",
    "github-workflows-require-timeout": "workflows/*.yml",
    "github-issue-forms": "ISSUE_TEMPLATE/[!c]*.yml",
    "github-issue-config": "ISSUE_TEMPLATE/config.yml",
}
"""The schema of each kind of file below .github/."""


def lint(cfg: Config, names: Sequence[str] = ()) -> bool:
    """The parts named (default: all). True if all passed; UsageError for a part that there is not."""
    parts = _parts(cfg)
    unknown = [name for name in names if name not in parts]
    if unknown:
        raise UsageError(f"There is no part {unknown[0]} of `make lint`; there are: {', '.join(parts)}.")
    return report({name: part for name, part in parts.items() if name in names or not names})


def _parts(cfg: Config) -> dict[str, Part]:
    run = Runner("lint", cfg.logs / "lint.log")
    python = tests_python(cfg)

    def module(*arguments: str) -> Part:
        return lambda: call([python, "-m", *arguments], cfg.root)

    return {
        "ruff": module("ruff", "check", "."),
        "format": module("ruff", "format", "--check", "."),
        "mypy": module("mypy"),
        "shellcheck": lambda: call([python.with_name("shellcheck"), *shell_scripts(cfg.root)], cfg.root),
        "workflows": lambda: _workflows(python, cfg.root),
        "patches": lambda: _patches(cfg),
        "documents": lambda: _documents(cfg.root),
        "ansible": lambda: _ansible(cfg),
        "web": lambda: _web(cfg, run),
        "svelte": lambda: _svelte(cfg, run),
    }


def shell_scripts(root: Path) -> list[str]:
    """Our files that begin with a shell's name, as git lists them."""
    listing = subprocess.check_output(["git", "ls-files", "-z"], cwd=root, text=True)
    return [name for name in listing.split("\0") if name and _is_shell(root / name)]


def _is_shell(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.readline(100)
    return first.startswith(b"#!") and first.split(b"/")[-1].split()[-1] in (b"sh", b"bash", b"dash")


def _workflows(python: Path, root: Path) -> None:
    """Each file against its schema, which check-jsonschema brings along."""
    for schema, pattern in SCHEMAS.items():
        files = sorted((root / ".github").glob(pattern))
        call([python.with_name("check-jsonschema"), "--builtin-schema", schema, *files], root)


def _patches(cfg: Config) -> None:
    queue = patchqueue.read(cfg.root / "patches", upstream_files.read(cfg.root / upstream_files.LIST))
    print(f"{len(queue.patches)} patches and {len(queue.new_files)} new files are in order.")


def _documents(root: Path) -> None:
    wrong = documents.examine(root)
    for line in wrong:
        print(line)
    if wrong:
        raise CommandError(f"{len(wrong)} places name what is not there")


def _ansible(cfg: Config) -> None:
    """The playbook, by the strictest of ansible-lint's profiles; it asks nobody outside."""
    python, folder = deploy_python(cfg), cfg.root / "deploy"
    found = {"PATH": f"{python.parent}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
    options = ["--offline", "--profile", "production", "--strict", "-q"]
    call([python.with_name("ansible-lint"), *options, "site.yml"], folder, found)


def _web(cfg: Config, run: Runner) -> None:
    for name in WEB_SCRIPTS:
        web.npm(cfg, run, "run", name)


def _svelte(cfg: Config, run: Runner) -> None:
    missing = svelte.missing(cfg)
    if missing:
        raise NotRunError(f"our components are checked within a build, and {', '.join(missing)} is not built yet")
    wrong = svelte.examine(cfg, run)
    for line in wrong:
        print(line)
    if wrong:
        raise CommandError(f"svelte-check finds {len(wrong)} faults in our files")
