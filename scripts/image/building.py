"""`make image`: the disk image, from the locked packages and the release, the same bytes on every machine.

root.squashfs + its hash tree   -> root hash -> command line -> initrd -> unified kernel image -> ESP -> disk
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.building.files import beside, remove
from scripts.config import Config
from scripts.errors import CommandError
from scripts.image import bytecode, debs, firmware, gpt, initrd, mirror, modules, packages, platform, tools, tree
from scripts.run import Runner
from scripts.tools.reproducible import SOURCE_DATE_EPOCH

BLOCK = 4096
KERNEL_IMAGE = "open-webui-tdx.efi"  # in build/image
ROOT_IMAGE = "root.squashfs"
ADDON_STUB = "addonx64.efi.stub"
ESP_BYTES = 64 << 20
#: What the kernel is told besides the root hash. Nothing of it can be added to or replaced: image/init/init.c compares.
COMMAND_LINE = (
    "console=tty0 console=ttyS0 panic=5 lockdown=confidentiality module.sig_enforce=1 init_on_alloc=1 efi=noruntime "
    "noresume nohibernate audit=0 systemd.import_credentials=no systemd.gpt_auto=no systemd.getty_auto=no "
    "systemd.firstboot=no systemd.show_status=yes systemd.default_timeout_start_sec=900 systemd.hostname=open-webui-tdx"
)


@dataclass(frozen=True)
class Root:
    """The root file system with its hash tree behind it, and what dm-verity has to know of it."""

    path: Path
    blocks: int
    salt: str
    hash: str

    @property
    def guid(self) -> uuid.UUID:
        """Its partition's GUID: the first half of the root hash, so that only this image's root is ever looked at."""
        return uuid.UUID(self.hash[:32])

    @property
    def verity(self) -> str:
        """What the command line says of it."""
        return f"{self.blocks},{self.salt},{self.hash}"

    @property
    def command_line(self) -> str:
        """The kernel's, whole."""
        return f"{COMMAND_LINE} verity={self.verity}"


def build(cfg: Config, run: Runner, tdvf: Path | None = None) -> Path:
    """Write `dist/<release>.raw` and return it. `build/image` keeps the parts, for reference values and tests.

    `tdvf`: a firmware, for the prediction. Raises UsageError before anything is built if it could not start a TD.
    """
    given = firmware.read(tdvf) if tdvf else None
    before = os.umask(0o022)  # modes of folders are part of the image
    try:
        return _build(cfg, run, given)
    finally:
        os.umask(before)


def _build(cfg: Config, run: Runner, given: firmware.Firmware | None) -> Path:
    files = mirror.obtain(cfg, run, [item for item in packages.locked(cfg.root) if item.part != "firmware"])
    work = cfg.stage("image")
    remove(work)
    work.mkdir(parents=True)
    pinned = tools.prepare(run, files, work / "tools")
    root = make_root(cfg, run, files, pinned, work)
    kernel = make_kernel(cfg, run, files, pinned, root, work)
    out = cfg.dist / f"{cfg.release_name}.raw"
    with beside(out) as fresh:
        table = make_disk(pinned, kernel, root, work, fresh)
    predicted = platform.predict(cfg.release_name, kernel.read_bytes(), table, out, root.verity, given)
    platform.write(platform.place(cfg), predicted)
    run.say(f"{out}: {out.stat().st_size / 1e6:.0f} MB, root hash {root.hash}")
    return out


def make_root(cfg: Config, run: Runner, files: Mapping[str, Path], pinned: tools.Tools, work: Path) -> Root:
    """The tree as squashfs, with the hash tree appended."""
    folder, image = work / "root", work / ROOT_IMAGE
    folder.mkdir()
    run.say("putting the root file system's tree together")
    tree.make(cfg, files, folder)
    bytecode.make(cfg, run, folder)
    options = [
        "-noappend",
        "-all-root",
        "-no-xattrs",
        "-no-progress",
        "-mkfs-time",
        SOURCE_DATE_EPOCH,
        "-all-time",
        SOURCE_DATE_EPOCH,
    ]
    pinned(
        "mksquashfs",
        folder,
        image,
        *options,
        "-comp",
        "zstd",
        "-Xcompression-level",
        "9",
        what="packing the root file system",
        epoch=None,
    )
    size = -(-image.stat().st_size // BLOCK) * BLOCK
    with image.open("r+b") as file:
        file.truncate(size)
    salt = hashlib.sha256(cfg.release_name.encode()).hexdigest()
    geometry = [
        "--data-block-size",
        BLOCK,
        "--hash-block-size",
        BLOCK,
        "--data-blocks",
        size // BLOCK,
        "--hash-offset",
        size,
    ]
    said = pinned(
        "veritysetup",
        "format",
        "--no-superblock",
        "--salt",
        salt,
        *map(str, geometry),
        image,
        image,
        what="hashing the root file system",
    )
    found = re.search(r"^Root hash:\s*([0-9a-f]{64})$", said, re.MULTILINE)
    if found is None:
        raise CommandError(f"veritysetup says no root hash: {said[-300:]}")
    return Root(image, size // BLOCK, salt, found[1])


def make_kernel(
    cfg: Config, run: Runner, files: Mapping[str, Path], pinned: tools.Tools, root: Root, work: Path
) -> Path:
    """The unified kernel image: boot stub, kernel, command line, initrd; nothing says when or where it was made."""
    unpacked = work / "kernel"
    for name in sorted(files):
        if name.startswith(("kernel/", "boot/")):
            debs.unpack(files[name], unpacked)
    vmlinuz = next(unpacked.glob("usr/lib/modules/*/vmlinuz"))
    shutil.copy(vmlinuz, work / "linux")
    (work / "cmdline").write_text(root.command_line)
    wanted = modules.names((cfg.root / "image/modules.txt").read_text(encoding="utf-8"))
    init = initrd.compile_init(cfg, run, work / "init").read_bytes()
    (work / "initrd").write_bytes(
        initrd.make(init, root.command_line, modules.order(wanted, unpacked / "usr/lib/modules"))
    )
    out = work / KERNEL_IMAGE
    pinned.ukify(
        "build", "--linux", work / "linux", "--initrd", work / "initrd", "--cmdline", f"@{work / 'cmdline'}",
        "--os-release", "", "--uname", vmlinuz.parent.name,
        "--stub", unpacked / "usr/lib/systemd/boot/efi/linuxx64.efi.stub", "--output", out,
    )  # fmt: skip
    shutil.copy(unpacked / "usr/lib/systemd/boot/efi" / ADDON_STUB, work)
    shutil.rmtree(unpacked)
    return out


def make_disk(pinned: tools.Tools, kernel: Path, root: Root, work: Path, out: Path) -> gpt.Table:
    """The whole disk; its GUIDs and the ESP's number follow from the kernel image's digest."""
    digest = hashlib.sha256(kernel.read_bytes()).digest()
    esp = work / "esp.fat"
    make_esp(pinned, kernel, digest[:4].hex(), esp)
    table = layout(digest, root.guid, root.path.stat().st_size)
    with out.open("wb") as disk:
        disk.truncate(table.sectors * gpt.SECTOR)
        disk.write(table.primary())
        for partition, source in zip(table.partitions, (esp, root.path), strict=True):
            disk.seek(partition.first * gpt.SECTOR)
            with source.open("rb") as content:
                shutil.copyfileobj(content, disk, 1 << 20)
        disk.seek(-33 * gpt.SECTOR, 2)
        disk.write(table.backup())
    return table


def disk_table(work: Path) -> gpt.Table:
    """The partition table of the image whose parts lie in this folder."""
    digest = hashlib.sha256((work / KERNEL_IMAGE).read_bytes()).digest()
    found = re.search(r" verity=[0-9]+,[0-9a-f]+,([0-9a-f]+)$", (work / "cmdline").read_text())
    assert found is not None
    return layout(digest, uuid.UUID(found[1][:32]), (work / ROOT_IMAGE).stat().st_size)


def layout(kernel_digest: bytes, root_guid: uuid.UUID, root_bytes: int) -> gpt.Table:
    """The partition table: the ESP, then the root file system with its hash tree."""
    disk, esp = (uuid.UUID(bytes=kernel_digest[at : at + 16], version=4) for at in (0, 16))
    wanted = [(gpt.ESP, esp, "esp", ESP_BYTES), (gpt.LINUX_DATA, root_guid, "open-webui-tdx-root", root_bytes)]
    return gpt.layout(disk, wanted)


def make_esp(pinned: tools.Tools, kernel: Path, number: str, out: Path) -> None:
    """A FAT file system with the kernel image where firmware looks for it, and nothing else."""
    with out.open("wb") as file:
        file.truncate(ESP_BYTES)
    pinned("mkfs.fat", "--invariant", "-F", "32", "-i", number, "-n", "ESP", out, what="making the ESP")
    for folder in ("::/EFI", "::/EFI/BOOT"):
        pinned("mmd", "-i", out, folder, what="making the ESP's folders")
    pinned("mcopy", "-i", out, kernel, "::/EFI/BOOT/BOOTX64.EFI", what="copying the kernel image")
