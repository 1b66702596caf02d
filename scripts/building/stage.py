"""The framework of the build stages.

A stage is a module `scripts/stages/<name>.py` with

    NAME = "frontend"                     # its folder build/frontend, its log build/logs/frontend.log
    DEPENDS = ("patch", "web")    # stages whose finished output it reads

    def inputs(cfg: Config) -> Iterable[Input]:
        '''All that decides the result.'''
        yield cfg.root / "web"          # Path: the content of a file or folder (caches are ignored)
        yield cfg.pins["nodejs"].sha256          # str: as it is
        yield Output("patch", exclude=("backend",))  # a finished stage's output: here all but its folder `backend`

    def build(cfg: Config, run: Runner, out: Path) -> None:
        '''Write everything into `out`, a fresh empty folder; raise a ToolError to fail.'''
        run(["tar", "-xf", archive], cwd=out)    # run.py: echo, log, last lines on failure
        node = downloads.obtain(cfg, run, "nodejs")  # a pinned file in the cache, verified

and, only if the result lies elsewhere than `build/<NAME>`,

    def destination(cfg: Config) -> Path: ...

The stage module's source, that of all modules of ours that it imports (`closure.py`) and the Python minor version are
inputs without saying. A dependency's *output* counts, and only through `Output`: so a patch stage that runs again with
the same `src/` rebuilds no frontend.

`ensure` locks the stage (two builds at once are safe), compares the fingerprint of the inputs with the stamp, and
if they differ builds into a new folder beside the final one, makes it durable, renames it into place and writes the
stamp last. A stage killed at any moment is therefore redone, and a failed one leaves the earlier result as it was.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from scripts.building.closure import TOP, closure
from scripts.building.files import IGNORED, remove, sync, write_durably
from scripts.building.fingerprint import StatCache, digest
from scripts.building.locking import exclusive, shared
from scripts.config import Config
from scripts.errors import ToolError
from scripts.run import Runner

STAGES = ("fetch", "patch", "plugin", "web", "nodemodules", "frontend", "backend", "assemble")
"""Every stage, each after those it depends on."""


@dataclass(frozen=True)
class Output:
    """The output of a finished stage: its top-level entries `only` (default all), without `exclude`."""

    stage: str
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


LABEL = 70  # letters of an input's name that are shown
# Seconds that a stage takes on two cores, downloads included, where it has not been built here before.
USUAL = {
    "fetch": 15,
    "patch": 5,
    "plugin": 5,
    "web": 25,
    "nodemodules": 75,
    "frontend": 150,
    "backend": 90,
    "assemble": 20,
}
Input = Path | str | Output


class Stage(Protocol):
    """What a stage's module offers; see above."""

    NAME: str
    DEPENDS: tuple[str, ...]
    __file__: str

    def inputs(self, cfg: Config) -> Iterable[Input]:
        """All that decides the result."""

    def build(self, cfg: Config, run: Runner, out: Path) -> None:
        """Write everything into `out`."""


@dataclass(frozen=True)
class State:
    """Whether a stage's result is current, and if not, why."""

    fresh: bool
    reason: str
    inputs: dict[str, str]  # label -> digest


def load(name: str) -> Stage:
    """The module of a stage."""
    return cast(Stage, importlib.import_module(f"scripts.stages.{name}"))


def destination(cfg: Config, stage: Stage) -> Path:
    """Where the stage's result lies."""
    elsewhere = getattr(stage, "destination", None)
    return cast(Path, elsewhere(cfg)) if elsewhere else cfg.stage(stage.NAME)


def state(cfg: Config, stage: Stage) -> State:
    """Compare what the stage would read now with what its stamp says it read."""
    cache = StatCache(cfg.build / ".state" / f"{stage.NAME}.files.json")
    now = _inputs(cfg, stage, cache)
    cache.save()
    stamp = _read_stamp(cfg, stage.NAME)
    place = destination(cfg, stage)
    if stamp is None:
        return State(False, "not built yet", now)
    if not place.is_dir() or place.stat().st_ino != stamp["inode"]:
        return State(False, f"{place} is gone or was replaced", now)
    before = stamp["inputs"]
    for label in sorted(now.keys() | before.keys()):
        if now.get(label) != before.get(label):
            return State(False, f"changed: {label if len(label) < LABEL else label[:LABEL] + '...'}", now)
    return State(True, "current", now)


def ensure(cfg: Config, name: str) -> bool:
    """Bring one stage up to date; its dependencies must be. True if it had to be built."""
    stage = load(name)
    with ExitStack() as locks:
        for dependency in sorted(stage.DEPENDS, key=STAGES.index):
            locks.enter_context(shared(_lock(cfg, dependency)))
        locks.enter_context(exclusive(_lock(cfg, name)))
        for dependency in stage.DEPENDS:
            if _read_stamp(cfg, dependency) is None:
                raise ToolError(f"Stage {name} needs stage {dependency} first; run `make build`.")
        found = state(cfg, stage)
        if found.fresh:
            return False
        _build(cfg, stage, found)
        return True


def _build(cfg: Config, stage: Stage, found: State) -> None:
    usual = (_read_stamp(cfg, stage.NAME) or {}).get("seconds", USUAL.get(stage.NAME))
    number = f"stage {STAGES.index(stage.NAME) + 1} of {len(STAGES)}, {stage.NAME}"
    run = Runner(stage.NAME, cfg.logs / f"{stage.NAME}.log", number, usual)
    run.start_log()
    run.say(f"building ({found.reason})")
    began = time.monotonic()
    place = destination(cfg, stage)
    out, old = (place.with_name(f".{place.name}.{kind}") for kind in ("new", "old"))
    remove(out)
    remove(old)
    out.mkdir(parents=True)
    try:
        stage.build(cfg, run, out)
        output = {entry.name: digest(entry) for entry in sorted(out.iterdir())}
        sync(out)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    _stamp(cfg, stage.NAME).unlink(missing_ok=True)
    if place.exists():
        place.rename(old)
    out.rename(place)
    took = round(time.monotonic() - began, 1)
    stamp = {"inputs": found.inputs, "output": output, "inode": place.stat().st_ino, "seconds": took}
    _write_stamp(cfg, stage.NAME, stamp)
    remove(old)
    run.say(f"done in {took:.1f} s")


def _inputs(cfg: Config, stage: Stage, cache: StatCache) -> dict[str, str]:
    found = {_label(TOP, path): digest(path, cache) for path in closure(Path(stage.__file__))}
    found["Python"] = cfg.python_version
    for number, item in enumerate(stage.inputs(cfg)):
        if isinstance(item, Output):
            part = "".join(f" {name}" for name in item.only) + "".join(f" without {name}" for name in item.exclude)
            found[f"the output of {item.stage}{part}"] = output_digest(cfg, item)
        elif isinstance(item, Path):
            found[_label(cfg.root, item)] = digest(item, cache, IGNORED)
        else:
            found[f"setting {number}"] = item
    return found


def _label(root: Path, path: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def output_digest(cfg: Config, wanted: Output) -> str:
    """The digest of what a finished stage wrote; "absent" if it has not run."""
    stamp = _read_stamp(cfg, wanted.stage)
    if stamp is None:
        return "absent"
    entries: dict[str, str] = stamp["output"]
    names = wanted.only or tuple(entries)
    lines = [f"{name}\0{entries.get(name, 'absent')}\n" for name in sorted(names) if name not in wanted.exclude]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _stamp(cfg: Config, name: str) -> Path:
    return cfg.build / ".state" / f"{name}.stamp.json"


def _lock(cfg: Config, name: str) -> Path:
    return cfg.build / ".state" / f"{name}.lock"


def _read_stamp(cfg: Config, name: str) -> dict[str, Any] | None:
    try:
        stamp = json.loads(_stamp(cfg, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(stamp, dict) and {"inputs", "output", "inode"} <= stamp.keys()
    return stamp if whole else None


def _write_stamp(cfg: Config, name: str, content: dict[str, Any]) -> None:
    path = _stamp(cfg, name)
    write_durably(path, json.dumps(content, indent=1, sort_keys=True).encode())
