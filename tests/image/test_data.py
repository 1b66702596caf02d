"""The machine image's data volume: taken where encrypted data was asked for, and nothing of the disk's is believed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.image.program import program
from tests.image.units import unit

UNLOCK = 'LLM="none"\nDATA_KEY="unlock"\nDATA_OWNER="k"\n'
VOLUME = Path("/dev/vdb1")


@pytest.fixture
def data() -> ModuleType:
    """The program, as a module."""
    return program("data")


@pytest.mark.parametrize("settings", ["", 'LLM="none"\n', 'DATA_KEY="none"\n'])
def test_where_nothing_is_encrypted_there_is_no_volume(data: ModuleType, settings: str) -> None:
    assert data.chosen([], settings) is None
    with pytest.raises(data.Refused, match="vdb1.*DATA_KEY is none.*in plain text"):
        data.chosen([VOLUME], settings)


def test_where_data_is_encrypted_there_is_one_volume(data: ModuleType) -> None:
    assert data.chosen([VOLUME], UNLOCK) == VOLUME
    with pytest.raises(data.Refused, match="no disk has a partition with the label open-webui-tdx-data"):
        data.chosen([], UNLOCK)
    with pytest.raises(data.Refused, match="more than one data volume .vdb1, vdc1."):
        data.chosen([VOLUME, Path("/dev/vdc1")], UNLOCK)


def test_the_launcher_is_told_which_device_it_is(
    data: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the disk's is mounted: the launcher opens it with the owner's key."""
    configure = program("configure")
    monkeypatch.setitem(sys.modules, "configure", configure)
    monkeypatch.setattr(data, "SETTINGS", tmp_path / "settings")
    (tmp_path / "settings").write_text(UNLOCK)
    monkeypatch.setattr(configure, "labelled", lambda label: [VOLUME] if label == "open-webui-tdx-data" else [])
    assert data.main() == 0
    assert (tmp_path / "settings").read_text() == UNLOCK + 'DATA_VOLUME="/dev/vdb1"\n'
    assert "kept on vdb1, encrypted" in capsys.readouterr().out
    monkeypatch.setattr(configure, "labelled", lambda label: [])
    assert data.main() == 2
    assert "no disk has a partition" in capsys.readouterr().err


def test_nothing_is_served_without_it() -> None:
    service = unit("open-webui-tdx.service.d/image.conf")["Unit"]
    assert "open-webui-tdx-data.service" in service["Requires"].split()
    assert "open-webui-tdx-data.service" in service["After"].split()
    asked = unit("open-webui-tdx-data.service")
    assert "open-webui-tdx-config.service" in asked["Unit"]["Requires"].split()
    assert asked["Service"]["ReadWritePaths"] == "/run/open-webui-tdx-config"
