"""git, through GitPython, without the settings of this user or of a repository around."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import CommandError, MissingError

CLEAN = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "build",
    "GIT_AUTHOR_EMAIL": "build@localhost",
    "GIT_COMMITTER_NAME": "build",
    "GIT_COMMITTER_EMAIL": "build@localhost",
    "LC_ALL": "C",
}
"""Settings that make git behave alike everywhere; a git hook's own variables are dropped in `attempt`."""
INIT = ("init", "--quiet", "--template=", ".")
"""A repository of our own, without a person's templates and hooks."""


def attempt(arguments: Sequence[str], folder: Path, alone: bool = False) -> tuple[int, str, str]:
    """Run git in `folder`: exit status, standard output (unchanged), standard error.

    `alone`: no repository around the folder is looked for. Within one, `git apply` silently leaves out every file
    that lies elsewhere in it.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import git as gitpython

    if shutil.which("git") is None:
        raise MissingError("git is not installed; it applies the patches. Install it, e.g. `apt-get install git`.")
    for inherited in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        os.environ.pop(inherited, None)
    status, output, errors = gitpython.Git(str(folder)).execute(
        ["git", "-c", "core.autocrlf=false", "-c", "core.fileMode=true", *arguments],
        with_extended_output=True,
        with_exceptions=False,
        strip_newline_in_stdout=False,
        env={**CLEAN, "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)} if alone else CLEAN,
    )
    return int(status), str(output), str(errors)


def git(arguments: Sequence[str], folder: Path) -> str:
    """The same; CommandError if git refuses."""
    status, output, errors = attempt(arguments, folder)
    if status:
        raise CommandError(f"`git {' '.join(arguments)}` failed in {folder}: {errors.strip() or output.strip()}")
    return output
