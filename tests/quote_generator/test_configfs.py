"""configfs-tsm: against a stand-in for the kernel's folder, in memory and as a real folder."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from quote_generator import configfs, library, quoting
from quote_generator.configfs import ReportFolder
from quote_generator.errors import (
    BusyError,
    DeviceFailureError,
    LibraryNotFoundError,
    QuoteFailureError,
    TdxAttestError,
)

DATA = bytes(range(64))


class KernelFolder(ReportFolder):
    """An entry as the kernel behaves: a write adds 1 to `generation`, `outblob` has the last writer's quote."""

    def __init__(self) -> None:
        super().__init__(Path("/stand-in"))
        self.generation, self.inblob, self.provider = 7, b"", b"tdx_guest\n"
        self.between: list[bytes] = []  # what other requesters write between our write and our read
        self.fails: dict[str, int] = {}
        self.locked = False

    def read(self, name: str) -> bytes:
        if name in self.fails:
            raise OSError(self.fails[name], os.strerror(self.fails[name]))
        if name == "outblob":
            for other in self.between:
                self.write("inblob", other)
            return b"quote over " + self.inblob
        return {"generation": b"%d\n" % self.generation, "provider": self.provider}[name]

    def write(self, name: str, data: bytes) -> None:
        if "write" in self.fails:
            raise OSError(self.fails["write"], os.strerror(self.fails["write"]))
        assert name == "inblob" and self.locked
        self.generation, self.inblob = self.generation + 1, data

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.locked = True
        yield
        self.locked = False


def test_a_quote_is_over_what_was_written() -> None:
    folder = KernelFolder()
    assert folder.quote(DATA) == b"quote over " + DATA
    assert folder.quote(bytes(64)) == b"quote over " + bytes(64)


@pytest.mark.parametrize("others", [1, 2])
def test_another_requesters_quote_is_never_returned(others: int) -> None:
    folder = KernelFolder()
    folder.between = [b"x" * 64] * others
    with pytest.raises(BusyError, match=f"generation moved by {others + 1}"):
        folder.quote(DATA)


@pytest.mark.parametrize(
    ("step", "number", "error"),
    [
        ("write", errno.EBUSY, BusyError),
        ("outblob", errno.EBUSY, BusyError),
        ("outblob", errno.EAGAIN, BusyError),
        ("outblob", errno.ETIMEDOUT, QuoteFailureError),
        ("outblob", errno.EIO, QuoteFailureError),
        ("generation", errno.EACCES, DeviceFailureError),
        ("provider", errno.ENOENT, DeviceFailureError),
        ("outblob", errno.ENXIO, DeviceFailureError),
    ],
)
def test_the_kernels_errors_have_their_class(step: str, number: int, error: type[TdxAttestError]) -> None:
    folder = KernelFolder()
    folder.fails[step] = number
    with pytest.raises(error) as caught:
        folder.quote(DATA)
    assert caught.value.code == error.status


def test_another_providers_entry_is_refused() -> None:
    folder = KernelFolder()
    folder.provider = b"sev_guest\n"
    with pytest.raises(DeviceFailureError, match="'sev_guest', not to tdx_guest"):
        folder.quote(DATA)


def test_report_data_has_64_bytes() -> None:
    with pytest.raises(ValueError, match="exactly 64 bytes"):
        KernelFolder().quote(bytes(63))


class Kernel(threading.Thread):
    """Plays the kernel in a real folder: `outblob` is a FIFO, so that a reader waits until the quote is made."""

    def __init__(self, entry: Path, meddler: bool = False) -> None:
        super().__init__(daemon=True)
        self.entry, self.meddler, self.stop = entry, meddler, False
        entry.mkdir(parents=True)
        (entry / "provider").write_text("tdx_guest\n")
        (entry / "generation").write_text("0\n")
        (entry / "inblob").write_bytes(b"")
        self._fresh_outblob()

    def run(self) -> None:
        generation = 0
        while True:
            descriptor = os.open(self.entry / "outblob", os.O_WRONLY)  # waits for a reader
            if self.stop:
                os.close(descriptor)
                return
            self._fresh_outblob()  # the next reader waits for its own quote
            written = (self.entry / "inblob").read_bytes()
            generation += 2 if self.meddler else 1
            (self.entry / "generation").write_text(f"{generation}\n")
            os.write(descriptor, b"quote over " + written)
            os.close(descriptor)

    def _fresh_outblob(self) -> None:
        os.mkfifo(self.entry / "fresh")
        (self.entry / "fresh").rename(self.entry / "outblob")

    def end(self) -> None:
        self.stop = True
        os.close(os.open(self.entry / "outblob", os.O_RDONLY))
        self.join(5)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    thread = Kernel(tmp_path / "report" / "entry")
    thread.start()
    yield thread
    thread.end()


def test_a_real_folder(kernel: Kernel) -> None:
    folder = configfs.find(kernel.entry)
    assert folder is not None
    for number in range(5):
        data = bytes([number]) * 64
        assert folder.quote(data) == b"quote over " + data


def test_a_real_folder_shared_by_threads(kernel: Kernel) -> None:
    """The lock keeps our own requesters apart, so none of them ever sees another's quote."""
    wrong = []

    def work(number: int) -> None:
        for _ in range(5):
            data = bytes([number]) * 64
            quote = ReportFolder(kernel.entry).quote(data)
            if quote != b"quote over " + data:
                wrong.append(quote)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == [] and (kernel.entry / "generation").read_text() == "20\n"


def test_a_real_folder_with_a_meddler(tmp_path: Path) -> None:
    thread = Kernel(tmp_path / "entry", meddler=True)
    thread.start()
    try:
        with pytest.raises(BusyError):
            ReportFolder(thread.entry).quote(DATA)
    finally:
        thread.end()


def test_the_folder_is_found_by_variable_or_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(configfs.PATH_VARIABLE, raising=False)
    monkeypatch.setattr(configfs, "REPORT_ROOT", tmp_path / "absent")
    assert configfs.find() is None
    root = tmp_path / "report"
    root.mkdir()
    monkeypatch.setattr(configfs, "REPORT_ROOT", root)
    assert configfs.find() is None  # an entry without attributes is none, and does not stay
    assert not list(root.iterdir())
    (root / configfs.ENTRY_NAME).mkdir()
    (root / configfs.ENTRY_NAME / "inblob").write_bytes(b"")
    found = configfs.find()
    assert found is not None and found.path == root / configfs.ENTRY_NAME
    other = tmp_path / "other"
    other.mkdir()
    (other / "inblob").write_bytes(b"")
    monkeypatch.setenv(configfs.PATH_VARIABLE, str(other))
    found = configfs.find()
    assert found is not None and found.path == other


def test_it_is_chosen_where_the_library_is_absent(
    plugin: ModuleType, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise LibraryNotFoundError()

    monkeypatch.setattr(library, "get", absent)
    monkeypatch.setenv(configfs.PATH_VARIABLE, str(kernel.entry))
    assert plugin.generate_quote(b"abc") == b"quote over abc" + bytes(61)
    assert quoting.require_backend() == "configfs-tsm" and quoting.tee_kind() == "tdx"
    with pytest.raises(ValueError, match="cannot choose an attestation key"):
        plugin.generate_quote(att_key_ids=[bytes(16)])
    monkeypatch.setattr(configfs, "REPORT_ROOT", Path("/nonexistent"))
    monkeypatch.delenv(configfs.PATH_VARIABLE)
    with pytest.raises(LibraryNotFoundError):
        plugin.generate_quote()


def test_a_wrong_variable_is_named_and_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "report"
    root.mkdir()
    monkeypatch.setattr(configfs, "REPORT_ROOT", root)
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere" / "x")
    (tmp_path / "plain").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for path in (tmp_path / "absent", tmp_path / "file", tmp_path / "broken", tmp_path / "plain", root / "unfilled"):
        monkeypatch.setenv(configfs.PATH_VARIABLE, str(path))
        with pytest.raises(DeviceFailureError, match=f"{path}, which {configfs.PATH_VARIABLE} names, is no"):
            configfs.find()
    assert sorted(tmp_path.rglob("*")) == before


def test_an_entry_that_cannot_be_made_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(configfs.PATH_VARIABLE, raising=False)
    monkeypatch.setattr(configfs, "REPORT_ROOT", tmp_path)
    (tmp_path / configfs.ENTRY_NAME).write_text("")
    with pytest.raises(DeviceFailureError, match="is no folder of configfs-tsm"):
        configfs.find()
