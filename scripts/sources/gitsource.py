"""Upstream's source by git, as the documented procedure has it: a shallow clone of the tag, kept in the cache."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from scripts.building.locking import exclusive
from scripts.config import Config
from scripts.errors import NetworkError
from scripts.run import Runner
from scripts.sources.gitcmd import CLEAN


def checkout(cfg: Config, run: Runner) -> Path:
    """The working tree of the tag; NetworkError if it cannot be cloned. Nothing in it is trusted yet."""
    tag = cfg.pins.release.upstream_tag
    name = hashlib.sha256(f"{cfg.git_url}\n{tag}".encode()).hexdigest()[:16]
    folder = cfg.cache / "git"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    with exclusive(folder / f".{name}.lock"):
        if not place.is_dir():
            if cfg.offline and not is_local(cfg.git_url):
                raise NetworkError(
                    f"OFFLINE=1, but tag {tag} of {cfg.git_url} is not in the cache ({folder}); clone once with a "
                    "network."
                )
            _clone(cfg, run, tag, place)
    return place


def is_local(url: str) -> bool:
    """Whether git reads this from a disk of this machine."""
    return url.startswith("file://") or ("://" not in url and not re.match(r"[^/]+:", url))


def _clone(cfg: Config, run: Runner, tag: str, place: Path) -> None:
    import git as gitpython

    run.say(f"cloning tag {tag} of {_shown(cfg.git_url)}")
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".clone.") as work:
        try:
            gitpython.Repo.clone_from(
                cfg.git_url,
                Path(work) / "tree",
                env=CLEAN,
                depth=1,
                branch=tag,
                single_branch=True,
                multi_options=["--config core.autocrlf=false", "--config advice.detachedHead=false", "--no-hardlinks"],
                allow_unsafe_protocols=False,
                allow_unsafe_options=True,
            )
        except gitpython.GitError as error:
            reason = _reason(str(getattr(error, "stderr", error)))
            raise NetworkError(
                f"Tag {tag} cannot be cloned from {_shown(cfg.git_url)}: {reason}; "
                "name a mirror with GIT_URL=, or leave SOURCE out to use the Python index."
            ) from None
        shutil.rmtree(Path(work) / "tree" / ".git")
        (Path(work) / "tree").rename(place)


def _reason(stderr: str) -> str:
    lines = [line.strip(" '\n") for line in stderr.splitlines() if re.search(r"fatal|error", line)]
    return _shown(lines[-1]) if lines else "git gives no reason"


def _shown(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)
