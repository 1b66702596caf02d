"""Too little memory or disk is said before a heavy stage starts, with the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import MissingError
from scripts.machine import capacity
from tests.scripts.tiny import Project

MEMINFO = (
    "MemTotal: 8000000 kB\nMemFree: 100000 kB\nMemAvailable: 2000000 kB\nSwapTotal: 1000000 kB\nSwapFree: 500000 kB\n"
)


def files(folder: Path, **content: str) -> Path:
    for name, text in content.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def test_memory_counts_swap(tmp_path: Path) -> None:
    files(tmp_path, meminfo=MEMINFO)
    assert capacity.available_memory_mb(tmp_path / "meminfo", tmp_path / "none") == (2000000 + 500000) * 1024 // 10**6


def test_a_container_limit_counts_when_it_is_tighter(tmp_path: Path) -> None:
    files(
        tmp_path,
        meminfo=MEMINFO,
        memory_max="1000000000\n",
        memory_current="700000000\n",
        memory_stat="inactive_file 50000000\n",
    )
    assert capacity.available_memory_mb(tmp_path / "meminfo", tmp_path) == 350


def test_an_unlimited_container_is_the_machine(tmp_path: Path) -> None:
    files(tmp_path, meminfo=MEMINFO, memory_max="max\n", memory_current="700000000\n", memory_stat="inactive_file 1\n")
    assert capacity.available_memory_mb(tmp_path / "meminfo", tmp_path) == 2560


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (capacity.Needed("the frontend build", 10**9, 1), "needs 1000000000 MB, and"),
        (
            capacity.Needed("the frontend build", 1, 10**12),
            "it needs 1000000000000 MB, and .* MB are free in .*BUILD_DIR",
        ),
    ],
)
def test_too_little_is_refused_with_the_numbers(project: Project, needed: capacity.Needed, said: str) -> None:
    with pytest.raises(MissingError, match=said):
        capacity.check(project.cfg, needed)


def test_enough_is_enough(project: Project) -> None:
    capacity.check(project.cfg, capacity.Needed("nothing", 1, 1))
