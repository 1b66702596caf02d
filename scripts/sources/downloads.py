"""Pinned files of the Python package index: resumed, verified by SHA-256, kept in `CACHE_DIR/files`.

Whatever the index, the hash decides. A file enters the cache under its own name only when it is whole and right.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from scripts.building.fingerprint import file_sha256
from scripts.building.locking import exclusive
from scripts.config import Config
from scripts.errors import MismatchError, NetworkError, ToolError
from scripts.run import Runner
from scripts.sources.pins import Pin

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 20  # bytes
ATTEMPTS = 4  # connections; each goes on where the one before broke off
TIMEOUT = (15, 60)  # seconds to connect, and of silence


def obtain(cfg: Config, run: Runner, name: str) -> Path:
    """The verified path of `[files.name]` in the cache, downloaded if need be.

    MismatchError for wrong bytes (they are deleted), NetworkError when no source has it.
    """
    pin = cfg.pins[name]
    folder = cfg.cache / "files"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / pin.filename
    with exclusive(folder / f".{pin.filename}.lock"):
        if path.exists():
            if file_sha256(path) == pin.sha256:
                return path
            run.say(f"{path} in the cache is not what is pinned; it is deleted and fetched again")
            path.unlink()
        if cfg.offline:
            raise NetworkError(
                f"OFFLINE=1, but {pin.filename} is not in the cache ({folder}); "
                "build once with a network, or copy the file there."
            )
        run.say(f"fetching {pin.filename} ({pin.size / 1e6:.1f} MB)")
        _fetch(pin, path)
    return path


def obtain_all(cfg: Config, run: Runner) -> None:
    """Every pinned file; the failures of all are told together, not only the first."""
    failures: list[ToolError] = []
    for name in cfg.pins.files:
        try:
            obtain(cfg, run, name)
        except (NetworkError, MismatchError) as error:
            failures.append(error)
    if failures:
        raise type(failures[0])("\n".join(str(failure) for failure in failures))


def verify(path: Path, pin: Pin) -> None:
    """MismatchError, with both hashes and the file deleted, unless `path` is what `pin` says."""
    actual, size = file_sha256(path), path.stat().st_size
    if actual != pin.sha256:
        path.unlink()
        raise MismatchError(
            f"{pin.filename} is not the pinned file and was deleted.\n"
            f"    pinned: sha256 {pin.sha256}, {pin.size} bytes\n"
            f"    found:  sha256 {actual}, {size} bytes\n"
            "If the index or a mirror altered it, use another one; if the version was meant to change, change "
            "upstream.toml."
        )


def _fetch(pin: Pin, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    local = next(_local_copies(pin), None)
    if local is not None:
        part.write_bytes(local.read_bytes())
    else:
        _download(pin, part)
    verify(part, pin)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def _local_copies(pin: Pin) -> Iterator[Path]:
    """Where pip is told to look on this machine's disk: find-links folders and file:// indexes."""
    from scripts.sources.registry import registry

    known = registry()
    for place in (*known.find_links, known.index, *known.extra):
        if "://" in place and not place.startswith("file://"):
            continue
        folder = Path(unquote(urlsplit(place).path)) if place.startswith("file://") else Path(place)
        for candidate in (folder / pin.filename, folder / pin.project / pin.filename):
            if place and candidate.is_file():
                yield candidate


def _download(pin: Pin, part: Path) -> None:
    import requests
    import urllib3

    with session() as client:
        link = _link(client, pin)
        trouble: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                _resume(client, link, pin, part)
            except (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError) as error:
                trouble = error
                continue
            if part.stat().st_size >= pin.size:
                return
            trouble = EOFError(f"the connection ended after {part.stat().st_size} of {pin.size} bytes")
    raise NetworkError(
        f"{pin.filename} could not be downloaded in {ATTEMPTS} attempts: {_brief(trouble)}; "
        "what arrived is kept, and the next build goes on from there."
    )


def _resume(client: requests.Session, link: str, pin: Pin, part: Path) -> None:
    """Append what is missing of `part`. A server that ignores ranges starts it anew."""
    have = part.stat().st_size if part.exists() else 0
    if have >= pin.size:
        part.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with client.get(link, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:
            part.unlink(missing_ok=True)
        answer.raise_for_status()
        resumed = answer.status_code == 206
        with part.open("ab" if resumed else "wb") as file, _bar(pin, have if resumed else 0) as bar:
            while file.tell() <= pin.size:  # longer than pinned: verification will say so
                # Not iter_content: it throws away a chunk that a broken connection left incomplete.
                chunk = answer.raw.read1(CHUNK)
                if not chunk:
                    break
                file.write(chunk)
                bar.advance(len(chunk))


def session() -> requests.Session:
    """A session with pip's certificates; proxies and the rest are requests' own settings."""
    import requests

    from scripts.sources.registry import registry

    client = requests.Session()
    cert = registry().cert
    if cert and not os.environ.get("REQUESTS_CA_BUNDLE"):
        client.verify = cert
    return client


def _link(client: requests.Session, pin: Pin) -> str:
    """The file's address on the first configured index that has it."""
    import pypi_simple
    import requests

    from scripts.sources.registry import registry

    known = registry()
    endpoints = [known.index or pypi_simple.PYPI_SIMPLE_ENDPOINT, *known.extra]
    troubles: list[str] = []
    for endpoint in endpoints:
        if not endpoint.startswith(("http://", "https://")):
            continue
        simple = pypi_simple.PyPISimple(endpoint, session=client)
        try:
            page = simple.get_project_page(pin.project, timeout=TIMEOUT)
        except pypi_simple.NoSuchProjectError:
            troubles.append(f"it has no project {pin.project}")
            continue
        except (requests.RequestException, pypi_simple.UnsupportedContentTypeError) as error:
            troubles.append(f"it cannot be asked: {_brief(error)}")
            continue
        for package in page.packages:
            if package.filename == pin.filename:
                return package.url
        troubles.append(f"its project {pin.project} does not list the file")
    raise NetworkError(
        f"{pin.filename} is not on the configured Python index "
        f"({'; '.join(troubles) or 'none is configured'}); "
        "check the network and pip's index-url, or copy the file into CACHE_DIR/files."
    )


def _brief(error: Exception | None) -> str:
    """The innermost reason, without the address (it may carry credentials)."""
    while error is not None and (error.__cause__ or error.__context__):
        inner = error.__cause__ or error.__context__
        if not isinstance(inner, Exception):
            break
        error = inner
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"[:200]


class _bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, pin: Pin, done: int) -> None:
        self._name, self._total, self._done = pin.filename, pin.size, done

    def __enter__(self) -> _bar:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (
            TextColumn(self._name[:28]),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, disable=not sys.stdout.isatty())
        self._progress.start()
        self._task = self._progress.add_task("", total=self._total, completed=self._done)
        return self

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
