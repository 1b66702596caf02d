"""What the plugin adds to a call of libtdx_attest, and how long other threads stall while a quote is made.

`python bench/plugin.py [--json]`, in the environment of the tests. A stub library, compiled here, takes the device's
place: it answers at once for the overhead, after 20 ms for the stalls. Every figure is set beside a control measured in
the same run: the same calls from C, and a thread that has nothing beside it. A busy machine stops threads, too: the
median over short windows, each with several quotes, tells the one from the other.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import quote_generator  # noqa: E402 - the line above makes it importable
from quote_generator import library  # noqa: E402
from tests import compiled  # noqa: E402

STUB = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
int delay_ms;
static uint8_t made[5000];
int tdx_att_get_quote(const void *data, const void *ids, uint32_t n, void *id, uint8_t **quote, uint32_t *size,
                      uint32_t flags) {
    (void)data, (void)ids, (void)n, (void)id, (void)flags;
    if (delay_ms) nanosleep(&(struct timespec){0, delay_ms * 1000000L}, 0);
    *size = sizeof made;
    *quote = malloc(sizeof made);
    memcpy(*quote, made, sizeof made);
    return 0;
}
int tdx_att_free_quote(uint8_t *quote) { free(quote); return 0; }
int tdx_att_get_report(const void *data, void *report) { (void)data, memset(report, 0, 1024); return 0; }
int tdx_att_extend(const void *event) { (void)event; return 0; }
int tdx_att_get_supported_att_key_ids(void *ids, uint32_t *n) { (void)ids, *n = 0; return 0; }
double loop(long count) { /* microseconds a quote, from C: get, copy once, free */
    static volatile uint8_t copy[5000];
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    for (long i = 0; i < count; i++) {
        uint8_t data[64] = {0}, *quote;
        uint32_t size;
        tdx_att_get_quote(data, 0, 0, 0, &quote, &size, 0);
        memcpy((void *)copy, quote, size);
        tdx_att_free_quote(quote);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    return ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / 1e3 / count;
}
"""
ROUNDS, QUOTES = 7, 20_000
WINDOWS, WINDOW_S = 40, 0.1


def build_stub(folder: Path) -> ctypes.CDLL:
    (folder / "stub.c").write_text(STUB)
    target = folder / "libtdx_attest.so.1"
    subprocess.run([*compiled.compiler(), "-O2", "-shared", "-fPIC", "-o", target, folder / "stub.c"], check=True)
    stub = ctypes.CDLL(str(target))
    stub.loop.restype, stub.loop.argtypes = ctypes.c_double, [ctypes.c_long]
    library.load(str(target))
    return stub


def microseconds(call: Callable[[], object]) -> float:
    started = time.thread_time()  # not the clock on the wall: other programs take their share of that
    for _ in range(QUOTES):
        call()
    return (time.thread_time() - started) / QUOTES * 1e6


def overhead(stub: ctypes.CDLL) -> dict[str, float]:
    """Medians of rounds in turn, so that a change of the machine's speed meets both alike."""
    pairs = [(stub.loop(QUOTES), microseconds(quote_generator.generate_quote)) for _ in range(ROUNDS)]
    from_c, from_python = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"c_us": from_c, "python_us": from_python, "overhead_us": from_python - from_c}


def stall_of(work: Callable[[], object] | None) -> dict[str, float]:
    """Milliseconds that a thread which only looks at the clock stands still while another does `work`.

    For each window the longest gap; of these the median and the longest.
    """
    stop = threading.Event()

    def repeat() -> None:
        while work and not stop.is_set():
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    gaps = [longest_gap() for _ in range(WINDOWS)]
    stop.set()
    thread.join()
    return {"median_ms": statistics.median(gaps) * 1e3, "longest_ms": max(gaps) * 1e3}


def longest_gap() -> float:
    longest, before = 0.0, time.perf_counter()
    end = before + WINDOW_S
    while before < end:
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


def stalls(stub: ctypes.CDLL) -> dict[str, dict[str, float]]:
    ctypes.c_int.in_dll(stub, "delay_ms").value = 20
    holding = ctypes.PyDLL(stub._name)  # calls without releasing the GIL, as a naive binding does
    quote, size = ctypes.POINTER(ctypes.c_uint8)(), ctypes.c_uint32()

    def naive() -> None:
        holding.tdx_att_get_quote(bytes(64), None, 0, None, ctypes.byref(quote), ctypes.byref(size), 0)
        holding.tdx_att_free_quote(quote)

    return {
        "nothing": stall_of(None),
        "this binding": stall_of(quote_generator.generate_quote),
        "a binding that holds the GIL": stall_of(naive),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    quote_generator.__path__.append(str(compiled.extension().parent))
    with tempfile.TemporaryDirectory() as folder:
        stub = build_stub(Path(folder))
        cost, gaps = overhead(stub), stalls(stub)
    if as_json:
        print(json.dumps({"overhead": cost, "longest_stall": gaps}, indent=2))
        return
    print(f"a quote of 5,000 bytes: {cost['c_us']:.2f} us from C, {cost['python_us']:.2f} us from Python")
    print(f"  overhead: {cost['overhead_us']:.2f} us a quote (limit 5)")
    print("longest stall of another thread while quotes take 20 ms each (limit 2 ms on a quiet machine):")
    for beside, gap in gaps.items():
        print(f"  beside {beside}: {gap['median_ms']:.2f} ms in the median window, {gap['longest_ms']:.2f} ms at worst")


if __name__ == "__main__":
    main()
