"""The library's build: warnings are errors, sanitizers are silent, the same bytes anywhere, one sentence on failure."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import build

from .library import Library
from .test_library import rtmr

pytestmark = pytest.mark.slow  # starts processes

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("driver.c")
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


def drive(library: Path, out: Path, flags: list[str]) -> subprocess.CompletedProcess[str]:
    """Compile driver.c and run it against the library, with a fresh TD."""
    program = out / "driver"
    command: list[str | Path] = [
        "cc",
        *WARNINGS,
        *flags,
        f"-I{build.SOURCES}",
        "-o",
        program,
        DRIVER,
        "-lpthread",
        "-ldl",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    environment = {**os.environ, **options, "TDX_SIM_STATE": str(out / "state")}
    return subprocess.run([program, library], capture_output=True, text=True, env=environment, timeout=300)


def test_a_c_program_that_dlopens_it(simulator_library: Path, tmp_path: Path) -> None:
    done = drive(simulator_library, tmp_path, [])
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert [line for line in done.stderr.splitlines() if "no such fault" not in line] == []


def test_threads_lose_no_extend(simulator_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drive(simulator_library, tmp_path, []).returncode == 0
    monkeypatch.setenv("TDX_SIM_STATE", str(tmp_path / "state"))
    value = bytes(48)
    for _ in range(4 * 25):  # driver.c: four threads, every second of fifty rounds
        value = hashlib.sha384(value + b"\x42" * 48).digest()
    assert rtmr(Library(simulator_library).report()[1], 3) == value


@pytest.mark.slow
def test_sanitizers_are_silent(tmp_path: Path) -> None:
    library = build.compile_library(tmp_path, extra=[*SANITIZERS, "-O1", "-g"])
    done = drive(library, tmp_path, SANITIZERS)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr


def test_same_bytes_from_another_folder(simulator_library: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "simulator"
    shutil.copytree(ROOT / "simulator", copy, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "simulator", "build", "--out", str(tmp_path / "out")]
    subprocess.run(command, cwd=copy.parent, check=True, capture_output=True)
    assert (tmp_path / "out" / build.LIBRARY).read_bytes() == simulator_library.read_bytes()
    assert str(ROOT).encode() not in simulator_library.read_bytes()


def test_building_needs_only_the_standard_library(tmp_path: Path) -> None:
    """The release compiles it with an interpreter that may have no cryptography."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path; "
    code += "from simulator.build import compile_library; compile_library(Path(sys.argv[1]))"
    command = [sys.executable, "-I", "-S", "-c", code]
    subprocess.run([*command, str(tmp_path)], check=True, capture_output=True)
    assert (tmp_path / build.LIBRARY).exists()


def test_exports_are_the_api_and_the_marker(simulator_library: Path) -> None:
    table = subprocess.run(
        ["nm", "-D", "--defined-only", simulator_library], capture_output=True, text=True, check=True
    )
    assert sorted(line.split()[-1] for line in table.stdout.splitlines()) == [
        "tdx_att_extend",
        "tdx_att_free_quote",
        "tdx_att_get_quote",
        "tdx_att_get_report",
        "tdx_att_get_supported_att_key_ids",
        "tdx_attest_simulator",
    ]
    dynamic = subprocess.run(["readelf", "-d", simulator_library], capture_output=True, text=True, check=True).stdout
    assert "soname: [libtdx_attest.so.1]" in dynamic and "libcrypto" not in dynamic


def test_a_missing_compiler_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "simulator", "build", "--out", str(tmp_path), "--cc", "no-such-compiler"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "cannot run the C compiler 'no-such-compiler'" in done.stderr and "install gcc" in done.stderr


def test_a_failed_compilation_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(build.BuildError, match="no-such-flag"):
        build.compile_library(tmp_path / "out", extra=["--no-such-flag"])
    assert list((tmp_path / "out").iterdir()) == []
