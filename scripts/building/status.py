"""Which stages are current. Without the command line's library, whose import would take longer than the answer."""

from __future__ import annotations

from scripts.building.stage import STAGES, destination, load, state
from scripts.config import Config

WORK_TO_DO = 10  # exit status when a stage is not current


def report(cfg: Config, quiet: bool) -> int:
    """Print a line for each stage (`quiet`: one, and only if all are current); 0, or WORK_TO_DO."""
    stale: list[str] = []
    for name in STAGES:
        stage = load(name)
        found = state(cfg, stage)
        waits = [dependency for dependency in stage.DEPENDS if dependency in stale]
        if not found.fresh or waits:
            stale.append(name)
        if not quiet:
            follows = f"may follow from {waits[0]}" if waits and found.fresh else found.reason
            print(f"{name:12} {follows}")
        elif stale:
            return WORK_TO_DO
    if stale:
        return WORK_TO_DO
    if quiet:
        print(f"Nothing to do: {destination(cfg, load(STAGES[-1]))} is up to date.")
    return 0
