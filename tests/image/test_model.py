"""The machine image's models volume: one file, copied into memory; the launcher measures the copy."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.image.program import program
from tests.image.units import unit

VOLUME = Path("/dev/vdc1")


@pytest.fixture
def model() -> ModuleType:
    """The program, as a module."""
    return program("model")


def test_a_volume_and_a_configuration_go_together(model: ModuleType) -> None:
    assert model.volume([], 0) is None
    assert model.volume([VOLUME], 7) == VOLUME
    with pytest.raises(model.Refused, match="vdc1.*the configuration says nothing"):
        model.volume([VOLUME], 0)
    with pytest.raises(model.Refused, match="no disk has a partition with the label open-webui-tdx-model"):
        model.volume([], 7)
    with pytest.raises(model.Refused, match="more than one models volume .vdc1, vdd1."):
        model.volume([VOLUME, Path("/dev/vdd1")], 7)


def test_what_was_copied_stays_whatever_becomes_of_the_disk(model: ModuleType, tmp_path: Path) -> None:
    disk, out = tmp_path / "vdc1", tmp_path / "models" / "mine.gguf"
    disk.write_bytes(b"weights" + bytes(505))
    model.copy(disk, 7, out)
    disk.write_bytes(b"other")
    assert out.read_bytes() == b"weights"
    assert [out.stat().st_mode & 0o777, out.parent.stat().st_mode & 0o777] == [0o444, 0o755]


def test_a_disk_that_is_too_small_and_too_little_memory_are_told(model: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "vdc1").write_bytes(b"weig")
    with pytest.raises(model.Refused, match="vdc1. ends 3 bytes before the 7"):
        model.copy(tmp_path / "vdc1", 7, tmp_path / "models" / "mine.gguf")
    with pytest.raises(model.Refused, match="MiB of memory are left"):
        model.copy(tmp_path / "vdc1", 1 << 43, tmp_path / "models" / "mine.gguf")


def test_nothing_is_served_without_it() -> None:
    service = unit("open-webui-tdx.service.d/image.conf")["Unit"]
    assert "open-webui-tdx-model.service" in service["Requires"].split()
    assert "open-webui-tdx-model.service" in service["After"].split()
    assert "open-webui-tdx-config.service" in unit("open-webui-tdx-model.service")["Unit"]["Requires"].split()
