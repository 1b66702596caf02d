"""Both ways to RTMR 3, and which one is chosen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from quote_generator import library, registers
from quote_generator.aael import replay
from quote_generator.errors import (
    ExtendFailureError,
    LibraryNotFoundError,
    NotSupportedError,
    ReportFailureError,
)
from quote_generator.eventlog import EventLog
from quote_generator.registers import LibraryRegisters, SysfsRegisters, find_registers
from tests.quote_generator.stub import Stub, compile_stub

RTMR3_FILE = "rtmr3:sha384"


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    for name in ("rtmr2:sha384", RTMR3_FILE):
        (tmp_path / name).write_bytes(bytes(48))
    return tmp_path


def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise LibraryNotFoundError()

    monkeypatch.setattr(library, "get", absent)


def test_sysfs_reads_and_writes_48_bytes(sysfs: Path) -> None:
    rtmr3 = SysfsRegisters(sysfs)
    rtmr3.extend(b"d" * 48)
    assert rtmr3.read() == b"d" * 48  # a plain file keeps what was written; the kernel would extend
    with pytest.raises(ValueError, match="48 bytes, not 47"):
        rtmr3.extend(bytes(47))


def test_sysfs_failures_are_one_sentence(sysfs: Path) -> None:
    rtmr3 = SysfsRegisters(sysfs)
    (sysfs / RTMR3_FILE).write_bytes(bytes(47))
    with pytest.raises(ReportFailureError, match="holds 47 bytes"):
        rtmr3.read()
    (sysfs / RTMR3_FILE).unlink()
    with pytest.raises(ReportFailureError, match="cannot be read"):
        rtmr3.read()
    with pytest.raises(ExtendFailureError, match="cannot be extended: No such file"):
        rtmr3.extend(bytes(48))


def test_sysfs_is_chosen_where_the_kernel_has_it(sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_library(monkeypatch)
    assert isinstance(find_registers(sysfs), SysfsRegisters)
    with pytest.raises(NotSupportedError, match=r"no libtdx_attest\.so\.1"):
        find_registers(sysfs / "absent")


@pytest.fixture
def real_library(plugin: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A libtdx_attest that is not the simulator."""
    stub = Stub(compile_stub(tmp_path))
    library.load(str(stub.path))
    yield stub
    monkeypatch.setattr(library, "_loaded", None)


@pytest.mark.slow
@pytest.mark.parametrize("index", [2, 3])
def test_extend_rtmr_uses_the_kernels_register_where_there_is_one(
    plugin: ModuleType, real_library: Stub, sysfs: Path, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    """Intel's library up to 1.24 cannot extend on a mainline kernel, although the kernel can."""
    real_library.set(7)
    monkeypatch.setattr(registers, "SYSFS_FOLDER", sysfs)
    plugin.extend_rtmr(index, b"d" * 48)
    assert (sysfs / f"rtmr{index}:sha384").read_bytes() == b"d" * 48 and real_library.calls() == 0
    (sysfs / f"rtmr{index}:sha384").unlink()
    with pytest.raises(NotSupportedError, match="tdx_att_extend failed with status 0x7"):
        plugin.extend_rtmr(index, b"d" * 48)


def test_extend_rtmr_without_a_library(plugin: ModuleType, sysfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_library(monkeypatch)
    monkeypatch.setattr(registers, "SYSFS_FOLDER", sysfs)
    plugin.extend_rtmr(2, b"d" * 48)
    assert find_registers(sysfs, 2).read() == b"d" * 48
    for index in (0, 1, 4):
        with pytest.raises(ValueError, match=f"2 or 3, not {index}"):
            plugin.extend_rtmr(index, bytes(48))
    monkeypatch.setattr(registers, "SYSFS_FOLDER", sysfs / "absent")
    with pytest.raises(NotSupportedError, match=r"RTMR 2 cannot be reached: .*rtmr2:sha384"):
        plugin.extend_rtmr(2, bytes(48))


def test_the_command_extends_and_shows_the_kernels_register(
    plugin: ModuleType, sysfs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from quote_generator.__main__ import main

    no_library(monkeypatch)
    monkeypatch.setattr(registers, "SYSFS_FOLDER", sysfs)
    assert main(["extend", "2", "ab" * 48, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rtmr_2": "ab" * 48}


def test_the_simulator_is_never_mixed_with_real_registers(simulator: ModuleType, sysfs: Path) -> None:
    assert isinstance(find_registers(sysfs), LibraryRegisters)


def test_the_library_extends_and_reads_rtmr_3(simulator: ModuleType) -> None:
    rtmr3 = LibraryRegisters()
    before = rtmr3.read()
    rtmr3.extend(b"e" * 48)
    assert rtmr3.read() == hashlib.sha384(before + b"e" * 48).digest()


def test_a_log_through_the_library(simulator: ModuleType, tmp_path: Path) -> None:
    log = EventLog.open(tmp_path / "log", find_registers())
    log.ensure("release", {"sha384": "00" * 48})
    quote = simulator.generate_quote()
    from quote_generator.formats import parse_quote

    assert replay(log.text()) == log.rtmr3() == parse_quote(quote).body.rtmr_3
