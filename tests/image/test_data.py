"""The machine image's data volume: taken where encrypted data was asked for, and nothing of the disk's is believed."""

from __future__ import annotations

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


def test_what_is_of_this_boot_alone_stays_in_memory(
    data: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytecode on a disk of the host's would be run."""
    mounted: list[tuple[str, ...]] = []
    monkeypatch.setattr(data, "mount", lambda *arguments: mounted.append(arguments))
    data.take(VOLUME, tmp_path / "data")
    (volume, *memory) = mounted
    assert volume[:2] == ("-t", "ext4") and volume[-2:] == (str(VOLUME), str(tmp_path / "data"))
    assert {"nosuid", "nodev", "noexec", "nosymfollow"} <= set(volume[3].split(","))
    assert {Path(arguments[-1]).name for arguments in memory} == {"run", "logs", "attestation", "tdx-simulator"}
    assert {arguments[1] for arguments in memory} == {"tmpfs"}


@pytest.mark.parametrize("name", ["run", "attestation"])
def test_a_link_of_the_hosts_in_the_place_of_a_folder_is_refused(
    data: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(data, "mount", lambda *_: None)
    (tmp_path / name).symlink_to("/etc")
    with pytest.raises(data.Refused, match=f"{name} on the data volume is no folder"):
        data.take(VOLUME, tmp_path)


def test_a_disk_that_holds_something_else_is_named_with_the_reason(data: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"no file system")
    with pytest.raises(data.Refused, match=r"the data volume cannot be mounted \(.+\); it needs one partition"):
        data.mount("-t", "ext4", str(tmp_path / "disk"), str(tmp_path / "nowhere"))


def test_nothing_is_served_without_it() -> None:
    service = unit("open-webui-tdx.service.d/image.conf")["Unit"]
    assert "open-webui-tdx-data.service" in service["Requires"].split()
    assert "open-webui-tdx-data.service" in service["After"].split()
    assert "open-webui-tdx-data.service" in unit("open-webui-tdx-registers.service")["Unit"]["After"].split()
    asked = unit("open-webui-tdx-data.service")
    assert "open-webui-tdx-config.service" in asked["Unit"]["Requires"].split()
    hidden = {"ProtectSystem", "PrivateNetwork", "PrivateTmp", "PrivateMounts", "ProtectHome", "PrivateDevices"}
    assert not hidden & set(asked["Service"]), "what is mounted there would be seen by nobody else"
