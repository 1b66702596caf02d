"""How many quotes a second the simulator makes, so that it never is what a load test measures.

Target: 1,000 a second on 2 cores. Also printed: one quote's time as a multiple of the one signature it needs, and what
a second process adds (the state's lock is the only thing they share).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from simulator import build, pki  # noqa: E402 - the line above makes it importable

SECONDS = 2.0
TARGET = 1000


def quotes_in(seconds: float, library: Path) -> int:
    """Quotes that this process makes, one after the other."""
    tdx = ctypes.CDLL(str(library))
    pointer, size = ctypes.POINTER(ctypes.c_uint8)(), ctypes.c_uint32()
    made, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        status = tdx.tdx_att_get_quote(None, None, 0, None, ctypes.byref(pointer), ctypes.byref(size), 0)
        if status:
            raise SystemExit(f"tdx_att_get_quote answered {status}")
        tdx.tdx_att_free_quote(pointer)
        made += 1
    return made


def rate(processes: int, library: Path) -> float:
    """Quotes a second of that many processes with one state folder; the slowest decides nothing, all are added."""
    command = [sys.executable, __file__, "worker", str(library)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(int(worker.communicate()[0]) for worker in workers) / SECONDS


def signature_seconds() -> float:
    """One P-256 signature by OpenSSL, through cryptography."""
    pki.sign("attestation", b"warm up")
    count, start = 2000, time.perf_counter()
    for _ in range(count):
        pki.sign("attestation", bytes(632))
    return (time.perf_counter() - start) / count


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        library = build.compile_library(Path(scratch))
        os.environ["TDX_SIM_STATE"] = str(Path(scratch) / "state")
        one, two = rate(1, library), rate(2, library)
    print(f"simulator: {one:,.0f} quotes/s from one process, {two:,.0f} from two ({two / one:.2f} times)")
    print(f"simulator: {max(one, two) / TARGET:.1f} times the target of {TARGET:,} a second")
    print(f"simulator: a quote takes {1 / one / signature_seconds():.1f} times as long as its signature alone")


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        print(quotes_in(SECONDS, Path(sys.argv[2])))
    else:
        main()
