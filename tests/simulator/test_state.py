"""The registers: kept across processes, safe from concurrent and killed writers, never silently forgotten."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .library import Library
from .test_library import quoted_rtmr, rtmr

pytestmark = pytest.mark.slow  # starts processes

DATA = b"\x77" * 48
ROOT = Path(__file__).parents[2]


def chain(length: int) -> list[bytes]:
    """RTMR 3 after 0, 1, 2... extends with DATA."""
    values = [bytes(48)]
    for _ in range(length):
        values.append(hashlib.sha384(values[-1] + DATA).digest())
    return values


def worker(code: str, library: Path) -> subprocess.Popen[str]:
    """A process with `td` at hand."""
    start = (
        f"from pathlib import Path\nfrom tests.simulator.library import Library\ntd = Library(Path({str(library)!r}))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", start + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.fixture
def registers(tmp_path: Path) -> Path:
    return tmp_path / "state" / "registers"


def test_state_survives_processes(td: Library, simulator_library: Path) -> None:
    td.extend(3, DATA)
    other = worker("print(td.report()[1].hex()); td.extend(3, b'\\x77' * 48)", simulator_library)
    seen, errors = other.communicate()
    assert not errors
    assert rtmr(bytes.fromhex(seen), 3) == chain(1)[1]
    assert rtmr(td.report()[1], 3) == chain(2)[2]


def test_folder_is_private_and_made_with_its_parents(
    td: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b"
    monkeypatch.setenv("TDX_SIM_STATE", str(folder))
    assert td.extend(3, DATA) == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "registers").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "registers"]


def test_default_folder_is_the_users_runtime_folder(
    td: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TDX_SIM_STATE")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    assert td.extend(2, DATA) == 0
    assert (tmp_path / "runtime" / "tdx-sim" / "registers").exists()


def test_a_new_boot_starts_afresh(td: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    first = td.report()[1]
    td.extend(2, DATA)
    td.extend(3, DATA)
    monkeypatch.setenv("TDX_SIM_BOOT_ID", "another boot")
    assert [rtmr(td.report()[1], i) for i in range(4)] == [rtmr(first, i) for i in range(4)]
    td.extend(3, DATA)
    assert rtmr(td.report()[1], 3) == chain(1)[1]


def damaged(whole: bytes) -> Iterator[bytes]:
    yield b""
    yield whole[:-1]
    yield whole + b"\0"
    for i in range(0, len(whole), 13):
        yield whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :]


def test_damage_is_an_error_and_stays_on_disk(td: Library, registers: Path, capfd: pytest.CaptureFixture[str]) -> None:
    td.extend(3, DATA)
    whole = registers.read_bytes()
    for content in damaged(whole):
        registers.write_bytes(content)
        assert (td.quote()[0], td.report()[0], td.extend(3)) == (0xA, 0xA, 6)
        lines = capfd.readouterr().err.splitlines()
        assert lines == [f"tdx simulator: {registers} is damaged; remove it to start with fresh registers"] * 3
        assert registers.read_bytes() == content
    registers.write_bytes(whole)
    assert rtmr(td.report()[1], 3) == chain(1)[1]


def test_a_folder_that_cannot_be(
    td: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TDX_SIM_STATE", str(tmp_path / "file" / "state"))
    assert td.quote()[0] == 0xA
    assert capfd.readouterr().err.startswith("tdx simulator: cannot create the state folder")
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setenv("TDX_SIM_STATE", str(tmp_path / "link"))
    assert td.quote()[0] == 0xA
    assert capfd.readouterr().err.startswith("tdx simulator: cannot open the state folder")


def test_eight_processes_lose_nothing(td: Library, simulator_library: Path) -> None:
    """Each extends with the same data, so the register must be the chain's value after as many extends as were made."""
    processes, rounds = 8, 40
    code = (
        f"import sys\nfor _ in range({rounds}):\n"
        "    status, quote = td.quote()\n"
        f"    assert status == 0 and td.extend(3, {DATA!r}) == 0\n"
        "    print(quote[48 + 328 + 144:][:48].hex())\n"
    )
    workers = [worker(code, simulator_library) for _ in range(processes)]
    position = {value.hex(): i for i, value in enumerate(chain(processes * rounds))}
    for process in workers:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        seen = [position[line] for line in output.split()]  # a value off the chain would be a torn read
        assert len(seen) == rounds and seen == sorted(set(seen)), "each sees its own extends, in order"
    assert rtmr(td.report()[1], 3) == chain(processes * rounds)[-1]
    assert quoted_rtmr(td.quote()[1], 3) == chain(processes * rounds)[-1]


def test_a_killed_writer_leaves_a_whole_state(td: Library, simulator_library: Path) -> None:
    """Whatever it had been told was extended is there, and at most the one extend under way besides."""
    code = f"import sys\nwhile td.extend(3, {DATA!r}) == 0:\n    sys.stdout.write('x'); sys.stdout.flush()\n"
    values = chain(100_000)
    position = {value: i for i, value in enumerate(values)}
    draw, least = random.Random(7), 0
    for _ in range(10):
        process = worker(code, simulator_library)
        # it is at work; read past Python's buffer, which would keep what came with the first letter
        assert process.stdout and os.read(process.stdout.fileno(), 1) == b"x"
        try:
            process.wait(draw.uniform(0.005, 0.05))
        except subprocess.TimeoutExpired:
            process.kill()
        told = 1 + len(process.stdout.read())  # not communicate(), which loses what was read ahead with the first
        process.communicate()
        status, report = td.report()
        assert status == 0
        now = position[rtmr(report, 3)]
        assert least + told <= now <= least + told + 1
        least = now
