"""libtdx_attest.so.1: Intel's argument checks and status codes, and quotes and reports that agree and verify."""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator import VERSION, profile
from simulator.faults import library
from simulator.faults.quote import FAULTS

from .conftest import judge
from .library import Library

KEY_ID = bytes.fromhex("e86c046e8cc44d958173fc43c1fa4f3f")


def rtmr(report: bytes, index: int) -> bytes:
    """RTMR `index` of a TDREPORT: TDINFO begins at 512, the RTMRs 208 bytes into it."""
    return report[512 + 208 + 48 * index :][:48]


def quoted_rtmr(quote: bytes, index: int) -> bytes:
    """RTMR `index` of a version 4 quote: 328 bytes into the body."""
    return quote[48 + 328 + 48 * index :][:48]


@pytest.mark.parametrize("version", [4, 5])
def test_quote_verifies(td: Library, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDX_SIM_QUOTE_VERSION", str(version))
    status, quote = td.quote(b"\xab" * 64)
    assert status == 0 and quote[0] == version
    verdict = judge(quote)
    assert verdict.status == "UpToDate", verdict
    assert verdict.claims["report"]["TD10" if version == 4 else "TD15"]
    assert b"\xab" * 64 in quote


def test_td15_fault_is_version_5(td: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDX_SIM_FAULT", "td15")
    assert td.quote()[1][:2] == b"\x05\x00"


def test_no_report_data_means_zeros(td: Library) -> None:
    assert td.quote(None)[1][48 + 520 :][:64] == bytes(64)
    assert td.report(None)[1][128:192] == bytes(64)


@pytest.mark.parametrize("name", sorted(set(library.NAMES) - {"td15"}))
def test_faults_are_those_of_the_python_side(td: Library, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from .test_quotes import REASONS

    monkeypatch.setenv("TDX_SIM_FAULT", name)
    status, quote = td.quote()
    assert status == 0
    verdict = judge(quote)
    expected = FAULTS[name].verdict
    assert verdict.status == {"refuse": None, "harmless": "UpToDate"}.get(expected, expected), verdict
    assert expected != "refuse" or REASONS[name] in verdict.reason


def test_argument_checks_are_intels(td: Library) -> None:
    assert td.quote(flags=1)[0] == 2
    assert td.quote(ids=KEY_ID, count=0)[0] == 2
    assert td.quote(ids=None, count=1)[0] == 2
    assert td.quote(ids=KEY_ID * 2, count=2)[0] == 2
    assert td.quote(ids=bytes(16), count=1)[0] == 0xC
    assert td.quote(ids=KEY_ID, count=1)[0] == 0
    assert td.c.tdx_att_get_quote(bytes(64), None, 0, None, None, None, 0) == 2
    assert td.c.tdx_att_get_report(bytes(64), None) == 2
    assert td.c.tdx_att_extend(None) == 2
    assert td.c.tdx_att_free_quote(None) == 0
    assert td.key_ids(1) == (0, 1, KEY_ID)
    assert td.key_ids(0) == (0, 1, bytes(16))
    assert td.c.tdx_att_get_supported_att_key_ids(None, None) == 2


def test_outputs_that_may_be_null(td: Library) -> None:
    pointer = ctypes.POINTER(ctypes.c_uint8)()
    assert td.c.tdx_att_get_quote(None, None, 0, None, ctypes.byref(pointer), None, 0) == 0
    assert pointer[0] == 4
    td.c.tdx_att_free_quote(pointer)


def test_extend(td: Library) -> None:
    before = td.report()[1]
    assert rtmr(before, 3) == bytes(48), "RTMR 3 starts with zeros"
    assert td.extend(3, b"a" * 48) == 0
    assert td.extend(2, b"b" * 48) == 0
    assert td.extend(3, b"c" * 48) == 0
    after = td.report()[1]
    once = hashlib.sha384(bytes(48) + b"a" * 48).digest()
    assert rtmr(after, 3) == hashlib.sha384(once + b"c" * 48).digest()
    assert rtmr(after, 2) == hashlib.sha384(rtmr(before, 2) + b"b" * 48).digest()
    assert [rtmr(after, i) for i in (0, 1)] == [rtmr(before, i) for i in (0, 1)]


@pytest.mark.parametrize(
    ("index", "version_and_size", "status"),
    [
        (0, (1, 0), 0xB),
        (1, (1, 0), 0xB),
        (4, (1, 0), 2),
        (2**40 + 3, (1, 0), 2),
        (3, (2, 0), 2),
        (3, (1, 1), 7),
    ],
)
def test_extend_refuses(td: Library, index: int, version_and_size: tuple[int, int], status: int) -> None:
    before = td.report()[1]
    assert td.extend(index, version=version_and_size[0], event_size=version_and_size[1]) == status
    assert td.report()[1] == before


@pytest.mark.parametrize("fault", [None, "debug", "out-of-date", "td15"])
def test_report_agrees_with_the_quote(td: Library, fault: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault:
        monkeypatch.setenv("TDX_SIM_FAULT", fault)
    td.extend(2, b"x" * 48)
    td.extend(3, b"y" * 48)
    report, quote = td.report(b"\x5a" * 64)[1], td.quote(b"\x5a" * 64)[1]
    mac, tcb, info = report[:256], report[256 : 256 + 239], report[512:]
    body = quote[48 + (6 if fault == "td15" else 0) :]
    assert body[:120] == tcb[8:128]  # tee_tcb_svn, mr_seam, mr_signer_seam, seam_attributes
    assert body[120:520] == info[:400]  # td_attributes to RTMR 3
    assert body[520:584] == mac[128:192] == b"\x5a" * 64
    if fault == "td15":
        assert (body[584:600], body[600:648]) == (tcb[128:144], info[400:448])
    assert mac[:4] == bytes([0x81, 0, 1 if fault == "td15" else 0, 0])
    assert mac[32:80] == hashlib.sha384(tcb).digest()
    assert mac[80:128] == hashlib.sha384(info).digest()
    assert mac[224:] == hmac.digest(profile.REPORT_MAC_KEY, mac[:224], "sha256")
    assert report[495:512] == bytes(17) and info[448:] == bytes(64)


@pytest.mark.parametrize("status", [*range(1, 13), 0x1234])
def test_forced_status(td: Library, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDX_SIM_STATUS", hex(status))
    assert [td.quote()[0], td.report()[0], td.extend(3), td.key_ids()[0]] == [status] * 4


def test_forced_status_of_the_first_calls() -> None:
    """In a process of its own, since the calls are counted by process."""
    code = (
        "import os; os.environ |= {'TDX_SIM_STATUS': '9', 'TDX_SIM_STATUS_CALLS': '3'}\n"
        "from pathlib import Path; from tests.simulator.library import Library\n"
        "td = Library(Path(os.environ['LIBRARY'])); print(*(td.quote()[0] for _ in range(5)))"
    )
    assert in_new_process(code).stdout.split() == ["9", "9", "9", "0", "0"]


@pytest.fixture(autouse=True)
def _library_in_environment(simulator_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBRARY", str(simulator_library))
    monkeypatch.setenv("TDX_SIM_STATE", str(tmp_path / "state"))


def in_new_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])


def test_delay(td: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDX_SIM_DELAY_MS", "60")
    start = time.monotonic()
    assert td.quote()[0] == 0
    assert time.monotonic() - start >= 0.06


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FAULT", "typo", 'TDX_SIM_FAULT is "typo", which is no fault of the library'),
        ("STATUS", "busy", 'TDX_SIM_STATUS is "busy"; it must be a whole number'),
        ("DELAY_MS", "-1", 'TDX_SIM_DELAY_MS is "-1"'),
        ("QUOTE_VERSION", "3", "TDX_SIM_QUOTE_VERSION is 3; it must be 4 or 5"),
    ],
)
def test_wrong_settings_are_named(
    td: Library, name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"TDX_SIM_{name}", value)
    assert td.quote()[0] == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"tdx simulator: {message}")


def test_missing_libcrypto() -> None:
    code = (
        "import os; os.environ['TDX_SIM_LIBCRYPTO'] = '/absent/libcrypto.so'\n"
        "from pathlib import Path; from tests.simulator.library import Library\n"
        "td = Library(Path(os.environ['LIBRARY'])); print(td.quote()[0], td.report()[0], td.extend(3))"
    )
    done = in_new_process(code)
    assert done.stdout.split() == ["10", "10", "6"]
    assert done.stderr.splitlines() == [
        "tdx simulator: TDX_SIM_LIBCRYPTO names /absent/libcrypto.so, which cannot be used as libcrypto"
    ]


def test_marker(td: Library) -> None:
    size = len(f"open-webui-tdx simulator {VERSION}")
    text = (ctypes.c_char * size).in_dll(td.c, "tdx_attest_simulator").value
    assert text.decode() == f"open-webui-tdx simulator {VERSION}"
