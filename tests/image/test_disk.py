"""What of the disk is neither root file system nor kernel image: partition table, ESP, gaps.

A changed byte of it is another measurement, or nothing boots, or it is a byte that nothing is made of: then what boots
is measured as predicted.
"""

from __future__ import annotations

import dataclasses
from _imp import source_hash
from pathlib import Path

import pytest

from scripts.image import building, bytecode, gpt
from tests.image.built import Built, flip
from tests.image.machine import booted
from tests.image.test_boot import logged

pytestmark = pytest.mark.image
WRONG = '{"v": 1, "settings": {"ORIGN": ""}}'  # nothing needs to be served
NOTHING = 'failed to load Boot0001 "UEFI Misc Device"'  # says the firmware of the disk, and asks the network
NO_ROOT = "No disk has the root partition of this image"
ENTRY = b"BOOTX64 EFI"


def boots(built: Built, ovmf: Path, folder: Path, disk: Path) -> str:
    """The console when everything that was measured is told, or when it is clear that nothing is booted."""
    last = built.predicted["events"]["rtmr_1"][-1]["sha384"]
    with booted(folder / "vm", ovmf, disk, WRONG, ["-m", "1024"]) as machine:
        return machine.wait_for(last, NOTHING, NO_ROOT)


def predicted(built: Built, register: str) -> list[tuple[str, str]]:
    return [(item["type"], item["sha384"]) for item in built.predicted["events"][register]]


def place_of_entry(built: Built) -> int:
    """Where the ESP's folder has its entry of the kernel image (FAT32 File System Specification, 6)."""
    esp = (built.folder / "esp.fat").read_bytes()
    assert esp.count(ENTRY) == 1
    return building.disk_table(built.folder).partitions[0].first * gpt.SECTOR + esp.index(ENTRY)


def test_bytes_that_nothing_is_made_of_change_nothing(built: Built, ovmf: Path, copy: Path, tmp_path: Path) -> None:
    """Code for old firmware, a gap, the ESP's label, its file's time, its free room, what is reserved at the end."""
    esp = building.disk_table(built.folder).partitions[0]
    label, time = esp.first * gpt.SECTOR + 71, place_of_entry(built) + 22
    free = (esp.last + 1) * gpt.SECTOR - 1
    flip(copy, 100, 40 * gpt.SECTOR, label, time, free, copy.stat().st_size - 1)
    shown = boots(built, ovmf, tmp_path, copy)
    for name in ("rtmr_1", "rtmr_2"):
        assert logged(shown, int(name[-1])) == predicted(built, name)


def test_a_file_of_the_esp_that_lies_elsewhere_is_not_booted(
    built: Built, ovmf: Path, copy: Path, tmp_path: Path
) -> None:
    flip(copy, place_of_entry(built) + 27)  # its first cluster
    assert NOTHING in boots(built, ovmf, tmp_path, copy)


def test_another_partition_table_is_another_measurement(built: Built, ovmf: Path, copy: Path, tmp_path: Path) -> None:
    """With checksums that fit, as whoever changes it would have them."""
    table = building.disk_table(built.folder)
    esp = dataclasses.replace(table.partitions[0], name="fsp")
    changed = dataclasses.replace(table, partitions=(esp, *table.partitions[1:]))
    with copy.open("r+b") as file:
        file.write(changed.primary())
        file.seek(-33 * gpt.SECTOR, 2)
        file.write(changed.backup())
    shown = boots(built, ovmf, tmp_path, copy)
    pairs = list(zip(logged(shown, 1), predicted(built, "rtmr_1"), strict=True))
    assert [seen[0] for seen, told in pairs if seen != told] == ["0x80000006"]
    assert logged(shown, 2) == predicted(built, "rtmr_2")


@pytest.mark.parametrize(
    ("offset", "says"),
    [(gpt.SECTOR + 60, NOTHING), (2 * gpt.SECTOR + 56, NO_ROOT), (3 * gpt.SECTOR, NO_ROOT)],
    ids=["the disk's GUID", "a partition's name", "an entry that is not used"],
)
def test_a_flipped_bit_of_the_partition_table(
    built: Built, ovmf: Path, copy: Path, tmp_path: Path, offset: int, says: str
) -> None:
    """Its checksums do not fit: firmware does without, or the kernel sees no partition."""
    flip(copy, offset)
    assert says in boots(built, ovmf, tmp_path, copy)


def test_the_bytecode_is_that_of_the_sources_beside_it(built: Built) -> None:
    tree = built.folder / "root"
    compiled = tree / bytecode.PLACE
    made = {path.relative_to(compiled): path for path in compiled.rglob("*.pyc")}
    assert len(made) > 10_000
    for name, path in made.items():
        head = path.read_bytes()[:16]
        source = (tree / name.parent / name.name.replace(".cpython-311.pyc", ".py")).read_bytes()
        assert head[8:] == source_hash(int.from_bytes(head[:4], "little"), source), name
