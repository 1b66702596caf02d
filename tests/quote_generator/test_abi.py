"""Where Intel's header is installed the binding is compiled against it, and a changed ABI stops the build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.compiled import compiler

PACKAGE = Path(__file__).resolve().parents[2] / "quote_generator"

# The declarations of the C API as documented, written for this test.
HEADER = """
#include <stdint.h>
#pragma pack(push, 1)
typedef struct { uint8_t d[64]; } tdx_report_data_t;
typedef struct { uint8_t d[1024]; } tdx_report_t;
typedef struct { uint8_t d[16]; } tdx_uuid_t;
typedef struct { uint32_t version; uint64_t rtmr_index; uint8_t extend_data[48]; uint32_t event_type;
                 uint32_t event_data_size; uint8_t event_data[]; } tdx_rtmr_event_t;
#pragma pack(pop)
typedef enum {
    TDX_ATTEST_SUCCESS, TDX_ATTEST_ERROR_UNEXPECTED, TDX_ATTEST_ERROR_INVALID_PARAMETER,
    TDX_ATTEST_ERROR_OUT_OF_MEMORY, TDX_ATTEST_ERROR_VSOCK_FAILURE, TDX_ATTEST_ERROR_REPORT_FAILURE,
    TDX_ATTEST_ERROR_EXTEND_FAILURE, TDX_ATTEST_ERROR_NOT_SUPPORTED, TDX_ATTEST_ERROR_QUOTE_FAILURE,
    TDX_ATTEST_ERROR_BUSY, TDX_ATTEST_ERROR_DEVICE_FAILURE, TDX_ATTEST_ERROR_INVALID_RTMR_INDEX,
    TDX_ATTEST_ERROR_UNSUPPORTED_ATT_KEY_ID, TDX_ATTEST_ERROR_MAX } tdx_attest_error_t;
tdx_attest_error_t tdx_att_get_quote(const tdx_report_data_t *, const tdx_uuid_t[], uint32_t, tdx_uuid_t *,
                                     uint8_t **, uint32_t *, uint32_t);
tdx_attest_error_t tdx_att_free_quote(uint8_t *);
tdx_attest_error_t tdx_att_get_report(const tdx_report_data_t *, tdx_report_t *);
tdx_attest_error_t tdx_att_extend(const tdx_rtmr_event_t *);
tdx_attest_error_t tdx_att_get_supported_att_key_ids(tdx_uuid_t *, uint32_t *);
"""
CHANGES = {
    "longer report data": ("d[64]", "d[128]"),
    "longer report": ("d[1024]", "d[2048]"),
    "wider index": ("uint32_t version; uint64_t", "uint64_t version; uint64_t"),
    "no packing": ("#pragma pack(push, 1)", "#pragma pack(push, 8)"),
    "another argument": ("uint8_t **, uint32_t *, uint32_t)", "uint8_t **, uint32_t *, uint32_t, void *)"),
    "wider size": ("uint8_t **, uint32_t *,", "uint8_t **, uint64_t *,"),
    "another result": ("tdx_attest_error_t tdx_att_free_quote", "void tdx_att_free_quote"),
    "another status": ("TDX_ATTEST_ERROR_BUSY, ", "TDX_ATTEST_ERROR_NEW, TDX_ATTEST_ERROR_BUSY, "),
    "no status": ("TDX_ATTEST_ERROR_UNSUPPORTED_ATT_KEY_ID, ", ""),
}


def compiled(folder: Path, header: str | None) -> subprocess.CompletedProcess[str]:
    if header is not None:
        (folder / "tdx_attest.h").write_text(header)
    code = f'#include "{PACKAGE}/_abi.h"\n#if QG_INTEL_HEADER\n#warning with the header\n#endif\n'
    (folder / "probe.c").write_text(code)
    command = [*compiler(), "-std=c11", "-c", f"-I{folder}", "-o", str(folder / "probe.o"), str(folder / "probe.c")]
    return subprocess.run(command, capture_output=True, text=True)


def test_it_compiles_with_the_header(tmp_path: Path) -> None:
    done = compiled(tmp_path, HEADER)
    assert done.returncode == 0 and "with the header" in done.stderr, done.stderr


@pytest.mark.skipif(Path("/usr/include/tdx_attest.h").exists(), reason="the header is installed here")
def test_it_compiles_without_the_header(tmp_path: Path) -> None:
    done = compiled(tmp_path, None)
    assert done.returncode == 0 and "with the header" not in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_abi_stops_the_build(tmp_path: Path, change: str) -> None:
    old, new = CHANGES[change]
    assert old in HEADER
    assert compiled(tmp_path, HEADER.replace(old, new)).returncode != 0
