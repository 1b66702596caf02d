"""What of an encrypted service could reach a disk is found, and said; dumps of memory are not written at all."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.measure.spills import found, no_dumps

HEAD = "Filename\tType\tSize\tUsed\tPriority\n"
DISK = "22 1 8:1 / / rw - ext4 /dev/vda1 rw\n"
MEMORY = "23 22 0:30 / /tmp rw - tmpfs tmpfs rw\n24 22 0:31 / /var/tmp rw - tmpfs tmpfs rw\n"


def machine(root: Path, swaps: str = "", mounts: str = DISK + MEMORY, **files: str) -> Path:
    for name, text in {"proc/swaps": HEAD + swaps, "proc/self/mountinfo": mounts, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_nothing_is_said_of_a_machine_that_keeps_to_its_memory(tmp_path: Path) -> None:
    assert list(found(False, machine(tmp_path))) == []


@pytest.mark.parametrize(
    ("swap", "files", "told"),
    [
        ("/dev/vdb", {}, True),
        ("/swapfile", {}, True),
        ("/dev/dm-1", {"sys/block/dm-1/dm/uuid": "LVM-abc\n"}, True),
        ("/dev/dm-1", {"sys/block/dm-1/dm/uuid": "CRYPT-PLAIN-swap\n"}, False),
        ("/dev/zram0", {}, False),
        ("/dev/zram0", {"sys/block/zram0/backing_dev": "none\n"}, False),
        ("/dev/zram0", {"sys/block/zram0/backing_dev": "/dev/vdb\n"}, True),
    ],
    ids=["partition", "file", "lvm", "encrypted", "zram", "zram-alone", "zram-written-out"],
)
def test_swap(tmp_path: Path, swap: str, files: dict[str, str], told: bool) -> None:
    said = list(found(True, machine(tmp_path, f"{swap} partition 1 0 -2\n", **files)))
    assert bool(said) == told and all(f"swapoff {swap}" in each for each in said)


def test_temporary_folders_on_a_disk(tmp_path: Path) -> None:
    root = machine(tmp_path, mounts=DISK + MEMORY.splitlines()[0] + "\n")
    (said,) = found(False, root)
    assert said.startswith("/var/tmp lies on a disk")
    assert list(found(True, root)) == []


def test_this_machine_can_be_looked_at() -> None:
    assert all(each.endswith((".", ").")) for each in found(False))


@pytest.mark.attack
@pytest.mark.parametrize("limited", [True, False])
def test_a_process_that_crashes_leaves_no_dump(tmp_path: Path, limited: bool) -> None:
    """Without the limit it does, where the machine writes dumps to files."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if not limited and (pattern.startswith(("|", "/")) or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0):
        pytest.skip(f"this machine writes no dump beside the program (core_pattern {pattern})")
    limit = (
        "from launcher.measure.spills import no_dumps; no_dumps()"
        if limited
        else ("import resource as r; r.setrlimit(r.RLIMIT_CORE, (r.getrlimit(r.RLIMIT_CORE)[1],) * 2)")
    )
    code = f"{limit}\nimport os, sys\nsys.path.clear(); os.chdir({str(tmp_path)!r}); os.abort()"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    assert done.returncode == -signal.SIGABRT
    assert bool(list(tmp_path.iterdir())) != limited


@pytest.mark.parametrize(("most", "limit"), [(resource.RLIM_INFINITY, 1), (4096, 1), (1, 1), (0, 0)])
def test_a_limit_is_never_raised(most: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody without rights can, and where it is zero there is no need to."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (0, most))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    no_dumps()
    assert asked == [(limit, limit)]
