"""What this machine has, compared with what a heavy stage was measured to need, before it starts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from scripts.config import Config
from scripts.errors import MissingError

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Needed:
    """For `what`: memory and disk in MB (10^6 bytes), as measured."""

    what: str
    memory_mb: int
    disk_mb: int


def check(cfg: Config, needed: Needed) -> None:
    """MissingError, with the numbers, unless memory and disk suffice."""
    cfg.build.mkdir(parents=True, exist_ok=True)
    memory, disk = available_memory_mb(), shutil.disk_usage(cfg.build).free // 10**6
    if memory < needed.memory_mb:
        raise MissingError(
            f"Too little memory for {needed.what}: it needs {needed.memory_mb} MB, and {memory} MB are available "
            "(swap included); end other programs or add swap."
        )
    if disk < needed.disk_mb:
        raise MissingError(
            f"Too little disk space for {needed.what}: it needs {needed.disk_mb} MB, and {disk} MB are free in "
            f"{cfg.build}; "
            "free some, or name another folder with BUILD_DIR."
        )


def available_memory_mb(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int:
    """What can still be used, swap included, within the limit of a container (cgroup v2) if there is one."""
    values = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    known = {name: int(value.split()[0]) * 1024 for name, value in values.items()}
    free = known.get("MemAvailable", known["MemFree"]) + known.get("SwapFree", 0)
    try:
        limit, used = (cgroup / "memory.max").read_text().strip(), int((cgroup / "memory.current").read_text())
        reclaimable = _stat(cgroup / "memory.stat", "inactive_file")
    except (OSError, ValueError):
        limit, used, reclaimable = "max", 0, 0
    if limit != "max":
        free = min(free, int(limit) - used + reclaimable)
    return max(0, free) // 10**6


def _stat(path: Path, wanted: str) -> int:
    for line in path.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == wanted:
            return int(value)
    return 0
