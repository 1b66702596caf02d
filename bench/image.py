"""What the machine image costs: from power on to healthy, beside the launch alone on such a machine without the image.

`python bench/image.py`, as root, after `make image`; it needs mmdebstrap, qemu-system-x86 and swtpm. Both machines are
emulated, with the same firmware, processors and memory, one after the other: the image, and a plain Debian 12 with the
same release and unit. The ceiling is 1.3 times that launch. To be run on a machine that does nothing else.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "quote_verifier" / "src")]

from scripts.config import Config, from_environment, root  # noqa: E402 - the line above makes it importable
from scripts.image import debs, mirror, packages  # noqa: E402
from scripts.run import Runner  # noqa: E402
from tests.deploy import container  # noqa: E402
from tests.image.machine import Machine, added, booted  # noqa: E402
from tests.image.owner import FAILED, READY  # noqa: E402

CEILING = 1.3
STARTING = "Starting open-webui-tdx.se"  # systemd shortens names on the console
PACKAGES = "systemd,systemd-sysv,udev,dbus,python3,libgomp1,linux-image-cloud-amd64,initramfs-tools"
SETTINGS = {"LLM": "none", "HOST": "0.0.0.0", "PORT": "8443", "TLS": "self-signed", "START_TIMEOUT_S": "3600"}
# While somebody may sign in there, systemd says nothing more on that console: nobody may.
APPEND = (
    "root=/dev/vdb rw console=ttyS0 systemd.show_status=yes systemd.default_timeout_start_sec=1800 "
    "systemd.mask=serial-getty@ttyS0.service"
)
ROOM = 4 << 30  # bytes of the plain machine's disk


def plain(cfg: Config, folder: Path) -> list[str]:
    """Options for a machine that boots Debian with the release, whose unit waits for nothing else."""
    tree = folder / "tree"
    tree.mkdir()
    subprocess.run(["tar", "-xf", container.image(cfg.cache, PACKAGES), "-C", tree], check=True)
    place = tree / "opt" / cfg.release_name
    shutil.copytree(cfg.release, place, symlinks=True)
    (tree / "opt/open-webui-tdx").symlink_to(cfg.release_name)
    (tree / "etc/open-webui-tdx/secrets").mkdir(parents=True)
    (tree / "etc/open-webui-tdx/settings").write_text("".join(f"{name}={value}\n" for name, value in SETTINGS.items()))
    units = tree / "etc/systemd/system"
    for name in ("open-webui-tdx.service", "open-webui-tdx-fence.socket", "open-webui-tdx-fence@.service"):
        shutil.copy(place / "systemd" / name, units)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    (units / "multi-user.target.wants/open-webui-tdx.service").symlink_to("/etc/systemd/system/open-webui-tdx.service")
    for account in ("open-webui-tdx", "open-webui-tdx-door"):
        subprocess.run(["useradd", "--root", tree, "--system", "--no-create-home", account], check=True)
    kernel, initrd = next((tree / "boot").glob("vmlinuz-*")), next((tree / "boot").glob("initrd.img-*"))
    for source, name in ((kernel, "kernel"), (initrd, "initrd")):
        shutil.copy(source, folder / name)
    disk = folder / "plain.raw"
    with disk.open("wb") as file:
        file.truncate(ROOM)
    subprocess.run(["mkfs.ext4", "-q", "-d", tree, disk], check=True)
    shutil.rmtree(tree)
    return [*added(disk), "-kernel", str(folder / "kernel"), "-initrd", str(folder / "initrd"), "-append", APPEND]


def seen(machine: Machine, begun: float) -> tuple[float, float]:
    """Seconds after `begun` at which the service was being started, and was healthy."""
    machine.wait_for(STARTING, seconds=3600)
    starting = time.monotonic() - begun
    shown = machine.wait_for(READY, FAILED, seconds=3600)
    if READY not in shown:
        raise SystemExit(f"the service did not start:\n{shown[-3000:]}")
    return starting, time.monotonic() - begun


def main() -> None:
    cfg = from_environment(root())
    disk = cfg.dist / f"{cfg.release_name}.raw"
    if not disk.is_file():
        raise SystemExit(f"There is no image at {disk}: run `make image` first.")
    pinned = [item for item in packages.locked(cfg.root) if item.part == "firmware"]
    config = json.dumps({"v": 1, "settings": SETTINGS, "clock": "host"})
    with tempfile.TemporaryDirectory(prefix="bench-image-", dir=cfg.build) as name:
        folder = Path(name)
        debs.unpack(
            mirror.obtain(cfg, Runner("bench-image", cfg.logs / "bench-image.log"), pinned)["firmware/ovmf"], folder
        )
        ovmf = folder / "usr/share/OVMF"
        options = plain(cfg, folder)
        begun = time.monotonic()
        with booted(folder / "plain", ovmf, disk, None, ["-m", "6144", *options]) as machine:
            starting, healthy = seen(machine, begun)
        launch = healthy - starting
        print(f"a plain machine: power on to the launch {starting:.0f} s, the launch {launch:.0f} s", flush=True)
        begun = time.monotonic()
        with booted(folder / "image", ovmf, disk, config, ["-m", "6144"]) as machine:
            starting, healthy = seen(machine, begun)
    ratio = healthy / launch
    print(
        f"the image: power on to the launch {starting:.0f} s, to healthy {healthy:.0f} s: {ratio:.2f} times that launch"
        + ("" if ratio <= CEILING else f"  ABOVE {CEILING}")
    )
    print(f"its disk: {disk.stat().st_size / 1e9:.2f} GB" + ("" if disk.stat().st_size <= 2.5e9 else "  ABOVE 2.5"))


if __name__ == "__main__":
    main()
