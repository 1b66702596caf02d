"""One patch file for people who follow the documented procedure by hand: all patches, new files, `web/` as built."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from scripts.building.files import write_durably
from scripts.config import Config
from scripts.errors import MissingError, PatchError
from scripts.patches.patchqueue import Queue
from scripts.sources.gitcmd import INIT, git
from scripts.stages import outputs
from scripts.stages.patch import read_queue


def path(cfg: Config) -> Path:
    """Where the one patch file lies."""
    return cfg.dist / f"{cfg.release_name}.patch"


def write(cfg: Config) -> Path:
    """Write the file and return its path. Needs the stages fetch, patch and web."""
    pages = cfg.stage("web") / outputs.PAGES
    for needed in (cfg.stage("fetch"), cfg.stage("patch"), pages / outputs.VERIFIER):
        if not needed.exists():
            raise MissingError(f"{needed} is not there; run `make patch`, which builds it.")
    queue = read_queue(cfg)
    with tempfile.TemporaryDirectory() as work:
        diff = _difference(cfg, queue, pages, Path(work))
    place = path(cfg)
    write_durably(place, (_preface(cfg, queue) + diff).encode("utf-8", "surrogateescape"))
    return place


def _difference(cfg: Config, queue: Queue, pages: Path, work: Path) -> str:
    """Upstream's files that change, committed; then everything as patched; then git's difference of the two."""
    changed = sorted({name for patch in queue.patches for name in patch.files})
    git(INIT, work)
    for name in changed:
        _copy(cfg.stage("fetch") / name, work / name)
    git(["add", "--all", "--force", "."], work)
    git(["commit", "--quiet", "--allow-empty", "--no-verify", "-m", "upstream"], work)
    for name in (*changed, *queue.new_files):
        _copy(cfg.stage("patch") / name, work / name)
    for source in sorted(path for path in pages.rglob("*") if path.is_file()):
        name = f"{outputs.PAGES_PLACE}/{source.relative_to(pages)}"
        if (work / name).exists():
            raise PatchError(f"patches/files/{name} is there already; it comes from web/ and must not be in the queue.")
        _copy(source, work / name)
    git(["add", "--all", "--force", "."], work)
    return git(
        ["diff", "--cached", "--no-color", "--no-ext-diff", "--no-renames", "--binary", "--full-index", "HEAD"], work
    )


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    place.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _preface(cfg: Config, queue: Queue) -> str:
    release = cfg.pins.release
    lines = [
        f"Open WebUI {release.upstream_version} with Intel TDX remote attestation ({release.version}), as one patch.",
        f"For a checkout of tag {release.upstream_tag} in the folder open-webui; from the folder that holds it:",
        f"    git apply --ignore-whitespace --directory=open-webui/ {cfg.release_name}.patch",
        "It contains:",
        *(f"    {patch.name}: {patch.header['What']}" for patch in queue.patches),
        f"    {len(queue.new_files)} new files, and in {outputs.PAGES_PLACE} the verifier and the client of web/",
    ]
    return "\n".join(lines) + "\n\n"
