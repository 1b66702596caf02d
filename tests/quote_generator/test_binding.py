"""The binding against a stub library: arguments, statuses, buffers, threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from quote_generator import errors, library
from quote_generator.errors import (
    BY_STATUS,
    BusyError,
    InvalidParameterError,
    LibraryNotFoundError,
    TdxAttestError,
    UnexpectedError,
    UnsupportedAttKeyIdError,
)
from tests.quote_generator.stub import Stub, compile_stub

NAMES = {
    1: "UnexpectedError",
    2: "InvalidParameterError",
    3: "OutOfMemoryError",
    4: "VsockFailureError",
    5: "ReportFailureError",
    6: "ExtendFailureError",
    7: "NotSupportedError",
    8: "QuoteFailureError",
    9: "BusyError",
    0xA: "DeviceFailureError",
    0xB: "InvalidRtmrIndexError",
    0xC: "UnsupportedAttKeyIdError",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_stub(tmp_path_factory.mktemp("stub"))


@pytest.fixture
def stub(plugin: ModuleType, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    loaded = Stub(compiled)
    loaded.set()
    library.load(str(compiled))
    yield loaded
    assert loaded.living() == 0, "a quote's buffer was not freed, or freed twice"
    monkeypatch.setattr(library, "_loaded", None)


def test_a_quote_without_arguments_is_over_zeros(plugin: ModuleType, stub: Stub) -> None:
    quote = plugin.generate_quote()
    assert isinstance(quote, bytes) and len(quote) == 5000
    assert stub.seen("data", 64) == bytes(64)
    assert stub.count() == 0


@pytest.mark.parametrize("size", [0, 1, 32, 48, 63, 64])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_report_data_is_padded_with_zeros(plugin: ModuleType, stub: Stub, size: int, kind: type) -> None:
    data = bytes(range(1, size + 1))
    quote = plugin.generate_quote(kind(data))
    assert stub.seen("data", 64) == quote[:64] == data + bytes(64 - size)
    assert plugin.get_report(kind(data))[:64] == data + bytes(64 - size)


@pytest.mark.parametrize("size", [65, 128, 5000])
def test_longer_report_data_is_refused(plugin: ModuleType, stub: Stub, size: int) -> None:
    for call in (plugin.generate_quote, plugin.get_report):
        with pytest.raises(ValueError, match=f"at most 64 bytes, not {size}"):
            call(bytes(size))
    assert stub.calls() == 0


@pytest.mark.parametrize("wrong", ["text", 5, None, [1]])
def test_what_is_not_bytes_is_refused(plugin: ModuleType, stub: Stub, wrong: object) -> None:
    with pytest.raises(TypeError):
        plugin.generate_quote(wrong)


def test_key_ids_are_tried_in_turn(plugin: ModuleType, stub: Stub) -> None:
    """One a call: Intel's library refuses more with "invalid parameter"."""
    stub.only_key(b"b" * 16)
    plugin.generate_quote(att_key_ids=[b"a" * 16, b"b" * 16, b"c" * 16])
    assert stub.count() == 1 and stub.seen("ids", 16) == b"b" * 16 and stub.calls() == 2
    with pytest.raises(UnsupportedAttKeyIdError, match="none of the requested"):
        plugin.generate_quote(att_key_ids=[b"a" * 16, b"c" * 16])
    stub.set(2)
    with pytest.raises(InvalidParameterError):
        plugin.generate_quote(att_key_ids=[b"a" * 16, b"c" * 16])
    assert stub.calls() == 1  # another error than "not this key" ends it
    stub.set()
    plugin.generate_quote(att_key_ids=[])
    assert stub.count() == 0
    with pytest.raises(ValueError, match="16 bytes, not 15"):
        plugin.generate_quote(att_key_ids=[b"a" * 15])


def test_an_extend_is_the_packed_event(plugin: ModuleType, stub: Stub) -> None:
    plugin.extend_rtmr(3, bytes(range(48)), event_type=9)
    expected = (1).to_bytes(4, "little") + (3).to_bytes(8, "little") + bytes(range(48)) + (9).to_bytes(4, "little")
    assert stub.seen("event", 68) == expected + bytes(4)
    with pytest.raises(ValueError, match="48 bytes, not 47"):
        plugin.extend_rtmr(3, bytes(47))
    with pytest.raises(ValueError, match="2 or 3, not -1"):
        plugin.extend_rtmr(-1, bytes(48))


def test_supported_keys(plugin: ModuleType, stub: Stub) -> None:
    stub.odd(keys=3)
    assert plugin.get_supported_key_ids() == [bytes(16), b"\1" * 16, b"\2" * 16]
    stub.odd(keys=0)
    assert plugin.get_supported_key_ids() == []
    stub.odd(keys=100000)
    with pytest.raises(UnexpectedError, match="100000 key ids"):
        plugin.get_supported_key_ids()


@pytest.mark.parametrize("status", NAMES)
def test_each_status_has_its_class(plugin: ModuleType, stub: Stub, status: int) -> None:
    stub.set(status)
    calls = [
        lambda: plugin.generate_quote(busy_timeout=0),
        plugin.get_report,
        lambda: plugin.extend_rtmr(3, bytes(48)),
        plugin.get_supported_key_ids,
    ]
    for call in calls:
        with pytest.raises(TdxAttestError) as caught:
            call()
        assert type(caught.value).__name__ == NAMES[status] and caught.value.code == status
        assert f"{status:#x}" in str(caught.value) and "\n" not in str(caught.value)


def test_the_table_is_complete() -> None:
    assert {status: cls.__name__ for status, cls in BY_STATUS.items()} == NAMES
    assert len({cls.advice for cls in BY_STATUS.values()}) == len(NAMES)


@pytest.mark.parametrize("status", [0xD, 0x8000, 0xFFFF])
def test_an_unknown_status_keeps_its_number(plugin: ModuleType, stub: Stub, status: int) -> None:
    stub.set(status)
    with pytest.raises(TdxAttestError, match=f"{status:#x}") as caught:
        plugin.generate_quote()
    assert type(caught.value) is TdxAttestError and caught.value.code == status


def test_a_buffer_that_comes_with_an_error_is_freed(plugin: ModuleType, stub: Stub) -> None:
    stub.set(8)
    stub.odd(buffer_on_error=True)
    with pytest.raises(errors.QuoteFailureError):
        plugin.generate_quote()


def test_success_without_a_quote_is_an_error(plugin: ModuleType, stub: Stub) -> None:
    stub.odd(no_buffer=True)
    with pytest.raises(UnexpectedError, match="without a quote"):
        plugin.generate_quote()


def test_busy_is_retried_until_it_is_not(plugin: ModuleType, stub: Stub) -> None:
    stub.set(busy_times=4)
    assert len(plugin.generate_quote()) == 5000
    assert stub.calls() == 5


@pytest.mark.slow
def test_busy_is_retried_no_longer_than_the_caller_says(plugin: ModuleType, stub: Stub) -> None:
    stub.set(9)
    with pytest.raises(BusyError):
        plugin.generate_quote(busy_timeout=0)
    assert stub.calls() == 1
    started = time.monotonic()
    with pytest.raises(BusyError):
        plugin.generate_quote(busy_timeout=0.2)
    assert 0.2 <= time.monotonic() - started < 2
    assert 4 < stub.calls() < 20  # with growing pauses


@pytest.mark.slow
def test_other_threads_run_during_a_quote(plugin: ModuleType, stub: Stub) -> None:
    stub.set(delay_ms=300)
    calls = [plugin.generate_quote, plugin.get_report, lambda: plugin.extend_rtmr(2, bytes(48))]
    for call in calls:
        thread = threading.Thread(target=call)
        counted, started = 0, time.monotonic()
        thread.start()
        while thread.is_alive():
            counted += 1
            time.sleep(0.001)
        assert time.monotonic() - started >= 0.3
        assert counted > 20  # 1, or few, with the GIL held


def test_many_threads_each_get_their_own_quote(plugin: ModuleType, stub: Stub) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        data = bytes([number]) * 64
        for _ in range(500):
            if plugin.generate_quote(data)[:64] != data or plugin.get_report(data)[:64] != data:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_raw_layer_refuses_wrong_sizes(plugin: ModuleType, stub: Stub) -> None:
    binding = library.get().binding
    calls: list[Callable[[], object]] = [
        lambda: binding.get_quote(bytes(63), b""),
        lambda: binding.get_quote(bytes(64), bytes(15)),
        lambda: binding.get_report(bytes(65)),
        lambda: binding.extend(3, bytes(47), 0),
        lambda: binding.bind(0, 1, 1, 1, 1),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        binding.get_quote(None, b"")


def test_a_library_of_another_kind_is_named(plugin: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TdxAttestError, match=r"libc.so.6 is not libtdx_attest: it has no function tdx_att_get_quote"):
        library.load("libc.so.6")
    with pytest.raises(LibraryNotFoundError, match="cannot be loaded"):
        library.load("/nonexistent/libtdx_attest.so.1")


def test_the_loader_finds_the_library_by_its_name(plugin_path: Path, compiled: Path) -> None:
    code = (
        "import quote_generator as q; from quote_generator import library\n"
        "print(len(q.generate_quote()), library.get().file)"
    )
    environment = {"PYTHONPATH": str(plugin_path), "PYTHONSAFEPATH": "1", "LD_LIBRARY_PATH": str(compiled.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["5000", str(compiled)], done.stderr


def test_the_version_is_read_from_the_file_behind_the_link(plugin: ModuleType, compiled: Path, tmp_path: Path) -> None:
    file = tmp_path / "libtdx_attest.so.1.22.100.3"
    file.write_bytes(compiled.read_bytes())
    (tmp_path / "libtdx_attest.so.1").symlink_to(file.name)
    found = library.load(str(tmp_path / "libtdx_attest.so.1"))
    assert (found.file, found.version, found.simulated) == (str(file), "1.22.100.3", False)


def test_the_simulator_is_recognised(simulator: ModuleType) -> None:
    assert library.get().simulated is True


RSS = """
import os, sys
from quote_generator import library
import quote_generator as q
library.load(sys.argv[1])
page = os.sysconf("SC_PAGE_SIZE")
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * page
def work(count):
    for number in range(count):
        q.generate_quote(b"x" * (number % 65))
        if number % 10 == 0:
            q.get_report(); q.extend_rtmr(3, bytes(48)); q.get_supported_key_ids()
            try: q.generate_quote(bytes(65))
            except ValueError: pass
work(5000)
before = rss()
work(100_000)
print(rss() - before)
"""


@pytest.mark.slow
def test_100_000_quotes_leak_nothing(plugin_path: Path, compiled: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(plugin_path), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", RSS, str(compiled)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1 << 20  # bytes; one leaked buffer a quote would be 500 MB
