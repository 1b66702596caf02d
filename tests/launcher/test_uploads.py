"""Uploads where data is encrypted: in memory within a bound, and in the temporary folder beyond it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from starlette import formparsers
from starlette.datastructures import UploadFile

from launcher.serve import uploads
from launcher.serve.uploads import Upload

SIZE = 3_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, looked into by the files that are open in it: they have no names."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(formparsers, uploads.LIBRARYS, getattr(formparsers, uploads.LIBRARYS))
    uploads.hold_in_memory()
    yield tmp_path
    assert Upload._all == 0, "what is over is given back"


def opened(folder: Path) -> int:
    """How many files of it are open."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one by which they are looked through
            found += str(link.readlink()).startswith(f"{folder}/")
    return found


def sent(*files: bytes) -> list[UploadFile]:
    """What the web server's library makes of an upload of these files, which comes in pieces."""
    made = [UploadFile(getattr(formparsers, uploads.LIBRARYS)(max_size=1024), size=0) for _ in files]

    async def come() -> None:
        for file, content in zip(made, files, strict=True):
            for start in range(0, len(content), 65_000):
                await file.write(content[start : start + 65_000])
            await file.seek(0)

    asyncio.run(come())
    return made


def test_an_upload_stays_in_memory_and_is_what_was_sent(folder: Path) -> None:
    content = bytes(range(250)) * (SIZE // 250)
    (file,) = sent(content)
    assert opened(folder) == 0 and Upload._all == SIZE
    assert file.file.read() == content and file.size == SIZE
    file.file.seek(0)
    assert file.file.read(3) == b"\0\1\2" and file.file.readline().endswith(b"\n")
    file.file.close()


@pytest.mark.attack
def test_all_uploads_together_take_a_bounded_part_of_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST", SIZE + 100)
    first, second, third = sent(b"1" * SIZE, b"2" * SIZE, b"3" * 50)
    assert Upload._all == SIZE + 50 and opened(folder) == 1
    assert [set(each.file.read()) for each in (first, second, third)] == [{ord("1")}, {ord("2")}, {ord("3")}]
    first.file.close()
    assert Upload._all == 50
    (fourth,) = sent(b"4" * SIZE)
    assert Upload._all == SIZE + 50 and opened(folder) == 1
    for each in (second, third, fourth):
        each.file.close()
    assert opened(folder) == 0


def test_one_that_nobody_closed_is_given_back(folder: Path) -> None:
    sent(b"1" * SIZE)
    end = time.monotonic() + 10
    while Upload._all and time.monotonic() < end:  # the library's thread lets go of it a moment after its answer
        time.sleep(0.01)


def test_a_file_that_has_to_have_a_number_goes_to_the_folder(folder: Path) -> None:
    (file,) = sent(b"1" * SIZE)
    file.file.seek(7)
    assert file.file.fileno() > 0 and opened(folder) == 1 and Upload._all == 0
    assert len(file.file.read()) == SIZE - 7
    file.file.close()
