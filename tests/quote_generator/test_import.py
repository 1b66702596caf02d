"""The package imports where there is no extension, no library and no device."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def in_fresh_process(source: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(source), "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd="/")


def test_import_and_formats_need_no_extension(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "quote_generator", tmp_path / "quote_generator", ignore=shutil.ignore_patterns("*.so"))
    done = in_fresh_process(tmp_path, "import quote_generator, quote_generator.formats as f; print(f.TdReport.size())")
    assert (done.returncode, done.stdout) == (0, "1024\n"), done.stderr


def test_a_call_without_the_extension_says_what_to_install(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "quote_generator", tmp_path / "quote_generator", ignore=shutil.ignore_patterns("*.so"))
    code = "import quote_generator as q\ntry: q.generate_quote()\nexcept q.TdxAttestError as e: print(e.code, e)"
    done = in_fresh_process(tmp_path, code)
    assert "pip install ." in done.stdout, done.stderr


def test_a_call_where_there_can_be_no_tdx_says_so(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "quote_generator", tmp_path / "quote_generator", ignore=shutil.ignore_patterns("*.so"))
    code = (
        "import platform; platform.machine = lambda: 'aarch64'\n"
        "import quote_generator as q\ntry: q.generate_quote()\nexcept q.TdxAttestError as e: print(e.code, e)"
    )
    assert in_fresh_process(tmp_path, code).stdout == (
        "None Intel TDX is on x86-64 only, and this machine is aarch64: it can read quotes, not make them\n"
    )


def test_a_call_without_the_library_says_what_to_install(plugin_path: Path) -> None:
    code = "import quote_generator as q\ntry: q.generate_quote()\nexcept q.TdxAttestError as e: print(e.code, e)"
    done = in_fresh_process(plugin_path, code)
    assert done.stdout.startswith("None libtdx_attest.so.1 is not installed"), done.stderr
    assert "yum install libtdx-attest" in done.stdout and "Alibaba Cloud Linux 3" in done.stdout
