from __future__ import annotations

import os
from pathlib import Path

import pytest

from launcher.errors import TdxError, UnavailableError
from launcher.measure import tdx
from launcher.measure.tdx import Machine

LAPTOP = Machine(None, False, "missing")
REAL = Machine("/dev/tdx_guest", False, "real")
NO_LIBRARY = Machine("/dev/tdx_guest", False, "missing")
CONFIGFS = Machine("/dev/tdx_guest", True, "missing")
NO_PROVIDER = Machine(None, True, "missing")  # a kernel with configfs-tsm that is no TD: not in one, or SEV-SNP's
DISGUISED = Machine("/dev/tdx_guest", True, "simulated")


@pytest.fixture
def simulator(tmp_path: Path) -> Path:
    (tmp_path / tdx.LIBRARY).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "machine", "kind"),
    [
        ("auto", LAPTOP, "tdx-simulated"),
        ("auto", REAL, "tdx"),
        ("auto", NO_PROVIDER, "tdx-simulated"),
        ("auto", CONFIGFS, "tdx"),
        ("real", REAL, "tdx"),
        ("real", CONFIGFS, "tdx"),
        ("simulated", REAL, "tdx-simulated"),
        ("simulated", LAPTOP, "tdx-simulated"),
    ],
)
def test_choice(simulator: Path, wanted: str, machine: Machine, kind: str) -> None:
    assert tdx.choose(wanted, machine, simulator) == kind


@pytest.mark.parametrize(
    ("wanted", "machine", "words"),
    [
        ("real", LAPTOP, "no TDX device"),
        ("real", NO_PROVIDER, "no TDX device"),
        ("real", NO_LIBRARY, "yum install libtdx-attest"),
        ("real", DISGUISED, "simulator's"),
        ("auto", NO_LIBRARY, "yum install libtdx-attest"),
    ],
)
def test_refusal(simulator: Path, wanted: str, machine: Machine, words: str) -> None:
    with pytest.raises(TdxError, match=words):
        tdx.choose(wanted, machine, simulator)


def test_a_release_without_simulator(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="simulator"):
        tdx.choose("auto", LAPTOP, tmp_path)


def test_the_simulator_in_the_loaders_path_is_recognised(
    simulator_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(simulator_library.parent))
    assert tdx.look(os.environ).library == "simulated"


def test_a_regular_file_is_no_device(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/tdx_guest").write_bytes(b"")
    assert tdx.look(os.environ, tmp_path).device is None
