"""Downloads from a stand-in for a Python package index, with the faults that real ones have."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scripts.config import Config
from scripts.errors import MismatchError, NetworkError
from scripts.sources.downloads import obtain, obtain_all
from scripts.sources.pins import Pins
from simulator.serving import Answering, HttpServing
from tests.scripts.tiny import Project, pin

CONTENT = bytes(range(256)) * 2000


@dataclass
class Index:
    """Serves one project, `fake`. The faults are switched on by its tests."""

    url: str = ""
    content: bytes = CONTENT
    break_after: list[int] = field(default_factory=list)  # bytes after which each of the next answers breaks off
    ranges: bool = True
    status: int = 200
    asked: list[str] = field(default_factory=list)  # the Range header, or "", of each request for the file


class _Handler(Answering):
    index: Index

    def do_GET(self) -> None:
        if self.path == "/simple/fake/":
            self._answer(200, b'<a href="../../files/fake-1.0.bin">fake-1.0.bin</a>', {"Content-Type": "text/html"})
        elif self.path == "/files/fake-1.0.bin":
            self._file()
        else:
            self._answer(404, b"", {})

    def _file(self) -> None:
        asked = self.headers.get("Range", "")
        self.index.asked.append(asked)
        start = re.fullmatch(r"bytes=(\d+)-", asked)
        if start and self.index.ranges:
            first = int(start[1])
            total = len(self.index.content)
            self._answer(206, self.index.content[first:], {"Content-Range": f"bytes {first}-{total - 1}/{total}"})
        else:
            self._answer(self.index.status, self.index.content, {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        told = {**headers, "Content-Length": str(len(body))}
        if self.path.startswith("/files/") and self.index.break_after:
            body = body[: self.index.break_after.pop(0)]
        self.answer(status, body, told)


@pytest.fixture
def server(index: Callable[[str], None]) -> Iterator[Index]:
    state = Index()
    handler = type("Handler", (_Handler,), {"index": state})
    with HttpServing(0, handler) as http:
        state.url = f"{http.url}/simple"
        index(state.url)
        yield state


@pytest.fixture
def cfg(project: Project, tmp_path: Path) -> Config:
    file = tmp_path / "fake-1.0.bin"
    file.write_bytes(CONTENT)
    return project.with_(pins=Pins(project.cfg.pins.release, {"thing": pin(file)}))


def cached(cfg: Config) -> Path:
    return cfg.cache / "files" / "fake-1.0.bin"


@pytest.mark.slow
def test_a_file_is_fetched_once(project: Project, cfg: Config, server: Index) -> None:
    for _ in range(2):
        assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT
    assert server.asked == [""]


def test_a_broken_connection_is_resumed_where_it_broke(project: Project, cfg: Config, server: Index) -> None:
    server.break_after = [1000, 5000]
    assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT
    assert server.asked == ["", "bytes=1000-", "bytes=6000-"]


def test_a_truncated_download_is_not_taken_for_whole_and_is_continued_next_time(
    project: Project, cfg: Config, server: Index
) -> None:
    server.break_after = [1000, 0, 0, 0]
    with pytest.raises(NetworkError, match=r"fake-1.0.bin could not be downloaded.*goes on from there"):
        obtain(cfg, project.runner(), "thing")
    assert not cached(cfg).exists()
    assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=1000-"


def test_a_server_that_ignores_ranges_starts_anew(project: Project, cfg: Config, server: Index) -> None:
    server.ranges, server.break_after = False, [1000]
    assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", [b"x" * len(CONTENT), CONTENT + b"more", CONTENT[:-1] + b"?"])
def test_a_wrong_hash_deletes_the_file_and_shows_both(
    project: Project, cfg: Config, server: Index, wrong: bytes
) -> None:
    server.content = wrong
    with pytest.raises(MismatchError) as caught:
        obtain(cfg, project.runner(), "thing")
    told = str(caught.value)
    assert cfg.pins["thing"].sha256 in told
    assert len(set(re.findall(r"[0-9a-f]{64}", told))) == 2
    assert [path.name for path in (cfg.cache / "files").iterdir() if not path.name.endswith(".lock")] == []


def test_a_rotten_part_is_thrown_away_and_the_next_build_succeeds(project: Project, cfg: Config, server: Index) -> None:
    (cfg.cache / "files").mkdir(parents=True)
    (cfg.cache / "files" / "fake-1.0.bin.part").write_bytes(b"rotten")
    with pytest.raises(MismatchError):
        obtain(cfg, project.runner(), "thing")
    assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT


def test_a_rotten_cached_file_is_fetched_again(project: Project, cfg: Config, server: Index) -> None:
    cached(cfg).parent.mkdir(parents=True)
    cached(cfg).write_bytes(b"rotten")
    assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT


def test_no_network_and_a_cold_cache(project: Project, cfg: Config, index: Callable[[str], None]) -> None:
    with pytest.raises(NetworkError, match=r"fake-1.0.bin is not on the configured Python index.*cannot be asked"):
        obtain(cfg, project.runner(), "thing")


def test_a_file_that_the_index_lacks(project: Project, cfg: Config, server: Index) -> None:
    other = dataclasses.replace(cfg.pins["thing"], filename="fake-1.1.bin", version="1.1")
    with pytest.raises(NetworkError, match=r"fake-1.1.bin .*does not list the file"):
        obtain(dataclasses.replace(cfg, pins=Pins(cfg.pins.release, {"thing": other})), project.runner(), "thing")
    other = dataclasses.replace(cfg.pins["thing"], project="unknown")
    with pytest.raises(NetworkError, match="has no project unknown"):
        obtain(dataclasses.replace(cfg, pins=Pins(cfg.pins.release, {"thing": other})), project.runner(), "thing")


def test_a_server_error(project: Project, cfg: Config, server: Index) -> None:
    server.status = 503
    with pytest.raises(NetworkError, match="503"):
        obtain(cfg, project.runner(), "thing")


def test_offline_with_a_cold_cache_and_a_warm_one(project: Project, cfg: Config, server: Index) -> None:
    offline = dataclasses.replace(cfg, offline=True)
    with pytest.raises(NetworkError, match=r"OFFLINE=1, but fake-1.0.bin is not in the cache"):
        obtain(offline, project.runner(), "thing")
    assert server.asked == []
    obtain(cfg, project.runner(), "thing")
    assert obtain(offline, project.runner(), "thing") == cached(cfg)
    assert server.asked == [""]


def test_all_failures_are_told_together(project: Project, cfg: Config, index: Callable[[str], None]) -> None:
    two = {"one": cfg.pins["thing"], "two": dataclasses.replace(cfg.pins["thing"], filename="fake-1.0.two")}
    with pytest.raises(NetworkError) as caught:
        obtain_all(dataclasses.replace(cfg, pins=Pins(cfg.pins.release, two)), project.runner())
    assert "fake-1.0.bin" in str(caught.value)
    assert "fake-1.0.two" in str(caught.value)


def test_a_mirror_on_disk_is_asked_first(
    project: Project, cfg: Config, server: Index, index: Callable[..., None], tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror" / "fake"
    mirror.mkdir(parents=True)
    (mirror / "fake-1.0.bin").write_bytes(CONTENT)
    index(server.url, f"file://{mirror.parent}")
    assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT
    assert server.asked == []


def test_an_extra_index_is_asked_when_the_first_lacks_the_file(
    project: Project, cfg: Config, server: Index, index: Callable[..., None]
) -> None:
    index("http://127.0.0.1:9/simple", server.url)
    assert obtain(cfg, project.runner(), "thing").read_bytes() == CONTENT
