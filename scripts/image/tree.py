"""The root file system's tree: the packages' files without what nobody needs, ours, and the release."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from scripts.building.files import copy_tree, walk
from scripts.config import Config
from scripts.errors import MissingError
from scripts.image.debs import unpack

#: Documentation, translations, and what a system takes orders by that is not its own: generators, kernel module
#: configuration, portable services, shells and their settings.
LEFT_OUT = tuple(
    re.compile(pattern)
    for pattern in (
        r"^usr/share/doc/.*/(?!copyright$)[^/]+$",
        r"^usr/share/(man|info|locale|lintian|bash-completion|zsh|bug|polkit-1|initramfs-tools|pam-configs)/",
        r"^usr/share/applications/",
        r"^etc/(init\.d|rcS?[0-9S]?\.d|default|cron|profile|pam\.d|X11|modprobe\.d|skel|dpkg|apt|logrotate|motd|issue)",
        r"^usr/lib/(modprobe\.d|modules-load\.d|modules|init|pcrlock\.d|environment\.d|binfmt\.d|rpm)(/|$)",
        r"^usr/lib/python3\.11/test(/|$)",
        r"^usr/lib/systemd/(system|user)(-environment)?-generators/",
        r"^usr/lib/systemd/(system-shutdown|system-sleep|user|user-preset|portable|boot|ntp-units\.d)/",
        r"^usr/lib/systemd/systemd-(sulogin-shell|reply-password|cryptsetup|veritysetup|integritysetup|makefs|growfs)",
        r"^usr/sbin/(?!(modprobe|init|cryptsetup|dmsetup|mke2fs|mkfs\.ext4)$)",
        r"^usr/lib/x86_64-linux-gnu/(gconv|perl|security)/",
        r"^(boot|home|media|mnt|srv|root)/",
    )
)
#: Of coreutils, util-linux and the like only what the release's own programs start.
_PROGRAMS = re.compile(
    r"^(sh|dash|readlink|mount|umount|true|false|test|python3\.11|systemctl|systemd-tmpfiles|systemd-sysusers|udevadm|"
    r"networkctl|resolvectl|busctl|journalctl|systemd-escape|systemd-notify|dbus-daemon|kmod)$"
)
MOUNTS = ("dev", "proc", "sys", "run", "tmp", "var", "opt", "root")
MASKED = (
    "debug-shell.service", "emergency.service", "rescue.service", "systemd-firstboot.service",
    "systemd-sysext.service", "systemd-confext.service", "systemd-modules-load.service",
    "systemd-hwdb-update.service", "ctrl-alt-del.target", "systemd-journal-flush.service",
    "systemd-machine-id-commit.service", "systemd-update-done.service", "systemd-boot-random-seed.service",
    "systemd-random-seed.service", "systemd-pcrmachine.service", "systemd-pcrphase.service",
    "systemd-pcrphase-sysinit.service", "systemd-pcrphase-initrd.service", "systemd-ask-password-console.path",
    "systemd-ask-password-wall.path", "systemd-sysusers.service", "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount", "systemd-rfkill.socket", "getty.target", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "dev-hugepages.mount", "systemd-remount-fs.service", "systemd-pstore.service",
    "systemd-initctl.socket", "systemd-ask-password-console.service", "modprobe@.service",
    "systemd-vconsole-setup.service", "systemd-hostnamed.service", "systemd-timedated.service",
    "systemd-localed.service",
)  # fmt: skip
#: Of the release: the service, and what makes the fence that it asks for.
RELEASE_UNITS = ("open-webui-tdx.service", "open-webui-tdx-fence.socket", "open-webui-tdx-fence@.service")
#: The drop-in that lets the launcher mount encrypted data.
ENCRYPTED_DATA = "encrypted-data.conf"
WANTED = {
    "sysinit.target": ("systemd-timesyncd.service",),
    "multi-user.target": (
        "open-webui-tdx.service",
        "systemd-networkd.service",
        "systemd-resolved.service",
        "systemd-logind.service",
    ),
    "network-online.target": ("systemd-networkd-wait-online.service",),
    "sockets.target": ("dbus.socket",),
}
LINKS = {
    "etc/resolv.conf": "/run/systemd/resolve/stub-resolv.conf",
    "etc/open-webui-tdx": "/run/open-webui-tdx-config",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/mtab": "/proc/self/mounts",
    "etc/systemd/system/default.target": "/usr/lib/systemd/system/multi-user.target",
    "usr/sbin/init": "../lib/systemd/systemd",
    "usr/bin/sh": "dash",
}


def make(cfg: Config, files: Mapping[str, Path], out: Path) -> None:
    """Write the tree into `out`. Raises MissingError where a library that something needs is not in it."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (out / "usr" / name).mkdir(parents=True)
        (out / name).symlink_to(f"usr/{name}")
    for name in sorted(files):
        if name.startswith("root/"):
            unpack(files[name], out, LEFT_OUT)
    for path in (out / "usr/bin").iterdir():
        if not _PROGRAMS.match(path.name):
            path.unlink()
    for name in MOUNTS:
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir()
    copy_tree(cfg.root / "image" / "root", out)
    for name in ("boot_log.py", "errors.py"):
        copy_tree(
            cfg.root / "quote_verifier/src/quote_verifier" / name, out / "usr/lib/open-webui-tdx/measured_boot" / name
        )
    _release(cfg, out)
    _units(out)
    for place, target in LINKS.items():
        (out / place).unlink(missing_ok=True)
        (out / place).symlink_to(target)
    _check_libraries(out)


def _release(cfg: Config, out: Path) -> None:
    if not (cfg.release / "release.json").is_file():
        raise MissingError(f"There is no release in {cfg.release}; run `make build` first.")
    place = out / "opt/open-webui-tdx"
    shutil.copytree(cfg.release, place, symlinks=True)
    units = out / "etc/systemd/system"
    for name in RELEASE_UNITS:
        shutil.copy(place / "systemd" / name, units)
    shutil.copy(place / "systemd" / ENCRYPTED_DATA, units / "open-webui-tdx.service.d")


def _units(out: Path) -> None:
    units = out / "etc/systemd/system"
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    for path in list(units.glob("*.wants")):
        shutil.rmtree(path)
    for target, names in WANTED.items():
        folder = units / f"{target}.wants"
        folder.mkdir()
        for name in names:
            place = "etc" if (units / name).exists() else "usr/lib"
            (folder / name).symlink_to(f"/{place}/systemd/system/{name}")


def _check_libraries(out: Path) -> None:
    """Each library that a program or library of the packages asks for is there."""
    have = {path.name for path in (out / "usr/lib").rglob("*.so*")} | {"linux-vdso.so.1"}
    for found in walk(out / "usr"):
        path = Path(found.path)
        if found.name.endswith("/") or path.is_symlink() or found.state.st_size < 64:
            continue
        with path.open("rb") as file:
            if file.read(4) != b"\x7fELF":
                continue
        lacking = sorted(set(needed(path.read_bytes())) - have)
        if lacking:
            raise MissingError(
                f"The image's /usr/{found.name} needs {lacking[0]}; add its package to image/packages.toml."
            )


def needed(program: bytes) -> list[str]:
    """DT_NEEDED of a 64-bit little-endian ELF file (System V ABI, chapter 5): names of libraries."""
    import struct

    (offset,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    headers = [struct.unpack_from("<IIQQQQ", program, offset + number * size) for number in range(count)]
    dynamic = next((header for header in headers if header[0] == 2), None)
    if dynamic is None:
        return []
    tags = [struct.unpack_from("<QQ", program, dynamic[2] + at) for at in range(0, dynamic[5], 16)]
    strings = next((value for tag, value in tags if tag == 5), 0)
    base = next(h[2] + strings - h[3] for h in headers if h[0] == 1 and h[3] <= strings < h[3] + h[5])
    names = [base + value for tag, value in tags if tag == 1]
    return [program[at : program.index(b"\0", at)].decode() for at in names]
