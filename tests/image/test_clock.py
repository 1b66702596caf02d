"""The machine image serves nothing on a clock that nobody set, unless its configuration trusts the host's."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.image.program import program
from tests.image.units import unit


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, which finds what it reads in a folder of the test's, and does not wait for long."""
    module = program("clock")
    monkeypatch.setattr(module, "CHOSEN", tmp_path / "clock")
    monkeypatch.setattr(module, "SYNCHRONISED", tmp_path / "synchronized")
    monkeypatch.setattr(module, "WAIT_S", 0.5)
    return module


@pytest.mark.slow
def test_a_clock_that_nobody_set_ends_the_start_and_says_what_to_do(
    clock: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clock").write_text("synchronised")
    assert clock.main() == 2
    error = capsys.readouterr().err
    assert "no time server answered" in error and "Nothing is served" in error and '"clock": "host"' in error
    assert error.count("\n") == 1


def test_a_clock_that_was_set_is_enough(clock: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clock").write_text("synchronised")
    (tmp_path / "synchronized").touch()
    assert clock.main() == 0
    assert "the clock is synchronised" in capsys.readouterr().out


def test_the_hosts_clock_is_trusted_where_the_configuration_says_so(
    clock: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clock").write_text("host")
    assert clock.main() == 0
    assert "the host's clock is trusted, as configured" in capsys.readouterr().out


def test_it_waits_until_the_clock_is_set(clock: ModuleType) -> None:
    asked = iter([False, False, True])
    pauses: list[float] = []
    assert clock.wait(lambda: next(asked), 60, pauses.append)
    assert len(pauses) == 2
    assert not clock.wait(lambda: False, 3, pauses.append)


def test_the_service_starts_after_configuration_and_clock_and_never_without() -> None:
    service = unit("open-webui-tdx.service.d/image.conf")["Unit"]
    for name in ("open-webui-tdx-config.service", "open-webui-tdx-clock.service"):
        assert name in service["Requires"].split() and name in service["After"].split()
    asked = unit("open-webui-tdx-clock.service")["Unit"]
    assert "open-webui-tdx-config.service" in asked["Requires"].split()
    assert {"systemd-timesyncd.service", "open-webui-tdx-config.service"} <= set(asked["After"].split())


def test_the_configuration_is_looked_for_when_every_disk_is_known() -> None:
    found = unit("open-webui-tdx-config.service")
    assert found["Service"]["ExecStartPre"].startswith("/usr/bin/udevadm settle")
    assert "systemd-udev-trigger.service" in found["Unit"]["After"].split()
