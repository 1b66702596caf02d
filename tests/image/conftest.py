"""What the tests that boot the image share: the image, firmware, and one machine that serves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.config import from_environment, root
from scripts.image import building, debs, mirror, packages, platform
from scripts.run import Runner
from tests.image import owner
from tests.image.built import Built
from tests.image.machine import PROGRAMS, Machine
from tests.image.owner import Owner

#: A credential that would be obeyed by systemd, were SMBIOS a way in: it writes to the console.
INJECTED = "INJECTED-BY-SMBIOS"
SMBIOS = ["-smbios", f"type=11,value=io.systemd.credential:tmpfiles.extra=w /dev/ttyS0 - - - - {INJECTED}"]


@pytest.fixture(scope="session")
def built() -> Built:
    """The image; a run without it has nothing to test, and says so."""
    cfg = from_environment(root())
    disk = cfg.dist / f"{cfg.release_name}.raw"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.fail(f"{missing[0]} is not installed: apt-get install qemu-system-x86 swtpm swtpm-tools")
    if not disk.is_file():
        pytest.fail(f"There is no image at {disk}; run `make image` first.")
    kernel = (cfg.stage("image") / building.KERNEL_IMAGE).read_bytes()
    predicted = json.loads(platform.place(cfg).read_text())
    return Built(cfg, Runner("test-image", cfg.logs / "test-image.log"), disk, kernel, predicted)


@pytest.fixture(scope="session")
def ovmf(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the pinned firmware."""
    pinned = [item for item in packages.locked(built.cfg.root) if item.part == "firmware"]
    folder = tmp_path_factory.mktemp("firmware")
    debs.unpack(mirror.obtain(built.cfg, built.run, pinned)["firmware/ovmf"], folder)
    return folder / "usr/share/OVMF"


@pytest.fixture
def copy(built: Built, tmp_path: Path) -> Path:
    """A disk of one's own."""
    disk = tmp_path / "disk.raw"
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", built.disk, disk], check=True)
    return disk


@pytest.fixture(scope="module")
def serving(built: Built, ovmf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Owner, Machine]]:
    """One machine that serves once its owner opens its data. Its host tries to give it a credential by SMBIOS."""
    one = owner.new(built, ovmf, tmp_path_factory.mktemp("serving"))
    with one.booted("vm", SMBIOS) as machine:
        yield one, machine
