"""Nothing that was changed or added boots: it is refused, with its reason on the console."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.image import building, pe, prediction, tools
from tests.image import owner, tiny_model
from tests.image.built import Built, flip
from tests.image.machine import booted, volume

pytestmark = pytest.mark.image
SERVES = "Starting open-webui-tdx.se"  # systemd shortens names on the console
PANIC = "Kernel panic"


def refused(
    built: Built, ovmf: Path, folder: Path, disk: Path, says: str, config: str | None = None, extra: Sequence[str] = ()
) -> str:
    """Boot, and wait for the reason. Nothing is served."""
    with booted(folder, ovmf, disk, config, ["-m", "1024", *extra]) as machine:
        shown = machine.wait_for(says, SERVES)
        assert says in shown, shown[-3000:]
        assert SERVES not in shown
        return shown


def place_of(disk: Path, content: bytes) -> int:
    """Where the ESP holds these bytes."""
    with disk.open("rb") as file:
        data = file.read(building.ESP_BYTES + (1 << 20))
    assert data.count(content) == 1
    return data.index(content)


def test_a_flipped_bit_of_the_root_file_system(built: Built, ovmf: Path, copy: Path, tmp_path: Path) -> None:
    table = building.disk_table(built.folder)
    flip(copy, table.partitions[1].first * 512 + 40)  # of squashfs's superblock
    assert PANIC in refused(built, ovmf, tmp_path / "vm", copy, PANIC)


def test_a_flipped_bit_of_the_hash_tree(built: Built, ovmf: Path, copy: Path, tmp_path: Path) -> None:
    table = building.disk_table(built.folder)
    blocks = int(built.predicted["verity"].split(",")[0])
    flip(copy, table.partitions[1].first * 512 + blocks * 4096)  # the tree's highest block comes first
    assert PANIC in refused(built, ovmf, tmp_path / "vm", copy, PANIC)


def test_a_flipped_bit_of_the_command_line(built: Built, ovmf: Path, copy: Path, tmp_path: Path) -> None:
    section = next(item for item in pe.parse(built.kernel).sections if item.name == ".cmdline")
    at = built.kernel.index(b"audit=0", section.offset) + len(b"audit=")
    flip(copy, place_of(copy, built.kernel) + at)
    changed = bytearray(built.kernel)
    changed[at] ^= 1
    for name in ("rtmr_1", "rtmr_2"):
        measured = getattr(prediction, name)
        arguments = (building.disk_table(built.folder),) if name == "rtmr_1" else ()
        assert measured(bytes(changed), *arguments) != measured(built.kernel, *arguments)
    refused(built, ovmf, tmp_path / "vm", copy, "audit=1 systemd.import_credentials=no")


def test_a_command_line_by_smbios(built: Built, ovmf: Path, tmp_path: Path) -> None:
    extra = ["-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra=systemd.debug_shell=1"]
    shown = refused(built, ovmf, tmp_path / "vm", built.disk, "The kernel's command line is", extra=extra)
    assert 'systemd.debug_shell=1", expected "' in shown


def put(built: Built, disk: Path, name: str, content: Path, folder: Path) -> None:
    """Put a file beside the kernel image on the ESP."""
    esp = folder / "esp"
    shutil.copy(built.folder / "esp.fat", esp)
    pinned = tools.Tools(built.folder / "tools", built.run)
    place = "::/EFI/BOOT/BOOTX64.EFI.extra.d"
    pinned("mmd", "-i", esp, place, what="making a folder")
    pinned("mcopy", "-i", esp, content, f"{place}/{name}", what="copying a file")
    with disk.open("r+b") as file:
        file.seek(building.disk_table(built.folder).partitions[0].first * 512)
        file.write(esp.read_bytes())


@pytest.mark.parametrize("name", ["x.cred", "x.sysext.raw", "x.confext.raw"])
def test_a_file_beside_the_kernel_image(built: Built, ovmf: Path, copy: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"content")
    put(built, copy, name, tmp_path / "file", tmp_path)
    refused(built, ovmf, tmp_path / "vm", copy, "Something was added to the initrd")


def test_an_add_on_beside_the_kernel_image(built: Built, ovmf: Path, copy: Path, tmp_path: Path) -> None:
    pinned = tools.Tools(built.folder / "tools", built.run)
    addon = tmp_path / "x.addon.efi"
    stub = built.folder / "addonx64.efi.stub"
    pinned.ukify("build", "--stub", stub, "--cmdline", "systemd.debug_shell=1", "--output", addon)
    put(built, copy, addon.name, addon, tmp_path)
    refused(built, ovmf, tmp_path / "vm", copy, 'systemd.debug_shell=1", expected "')


def test_an_unknown_key_of_the_configuration(built: Built, ovmf: Path, tmp_path: Path) -> None:
    """Whoever wrote it can switch the machine off by its power button."""
    config = '{"v": 1, "settings": {"ORIGN": "https://chat.example"}}'
    with booted(tmp_path / "vm", ovmf, built.disk, config, ["-m", "1024"]) as machine:
        shown = machine.wait_for("unknown name 'ORIGN'", SERVES)
        assert "Nothing is served" in shown and SERVES not in shown
        machine.press_power()
        assert "reboot: Power down" in machine.ends()


def test_volumes_that_are_not_what_the_configuration_says(built: Built, ovmf: Path, tmp_path: Path) -> None:
    """The configuration comes by a partition; there is a data volume that it does not ask for, and another model."""
    model = {"name": "mine-7b", "bytes": 1 << 20, "sha384": "ab" * 48}
    config = {"v": 1, "settings": {"LLM": "embedded"}, "model": model}
    contents = {"config": json.dumps(config).encode(), "data": bytes(1 << 20), "model": b"GGUF"}
    extra: list[str] = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        extra += volume(tmp_path / f"{name}.raw", f"open-webui-tdx-{name}", tmp_path / name)
    with booted(tmp_path / "vm", ovmf, built.disk, None, ["-m", "1024", *extra]) as machine:
        shown = machine.wait_for("before the 1048576 that model says", SERVES)
        assert "the models volume (vdd1) ends" in shown
        shown = machine.wait_for("there is a data volume (vdc1), but DATA_KEY is none", SERVES)
        assert "configuration from partition vdb1: EMBEDDED_MODEL, EMBEDDED_MODEL_SHA384, LLM" in shown
        assert SERVES not in shown


def test_a_models_volume_with_another_content(built: Built, ovmf: Path, tmp_path: Path) -> None:
    """Its copy is measured by the launcher, which serves nothing and says what it found."""
    weights = tiny_model.gguf()
    config = {"v": 1, "settings": {"LLM": "embedded"}, "model": owner.described(weights), "clock": "host"}
    extra = ["-m", "3072", *owner.models_volume(tmp_path, weights[:-1] + b"x")]
    with booted(tmp_path / "vm", ovmf, built.disk, json.dumps(config), extra) as machine:
        shown = machine.wait_for(owner.FAILED, owner.READY)
        assert "mine-1k.gguf is not what EMBEDDED_MODEL_SHA384 says: its SHA-384 is" in shown
        assert "Nothing is served; correct the one that is wrong." in shown
        assert owner.READY not in shown


def test_the_disk_holds_what_the_prediction_names(built: Built) -> None:
    with built.disk.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == built.predicted["image_sha256"]
