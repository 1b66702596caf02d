"""The release's own pages, from a release that the person holds: never what the service would have served.

`release.json` lists every file with its SHA-384, and the launch that was verified measured the digest of that list. A
file is compared each time it is read, so it does not matter where it lies, or who could write there meanwhile.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..assets import FRONTEND, MAX_MANIFEST
from ..errors import Malformed, Unreachable, UsageError
from ..strictjson import load_object
from .policies import Policies, page_policy, script_hashes

MANIFEST = "release.json"
#: `/static/`: upstream's own files, and those of the frontend over them, as the service answers, too.
STATIC = ("backend/open_webui/static/", FRONTEND + "static/")
#: What runs in a page, or decides how it looks: these are compared with what the service would have served.
CODE = (".html", ".js", ".mjs", ".css", ".wasm")
_TYPES = mimetypes.MimeTypes(filenames=())  # no file of this machine has a say
for _ending in (".js", ".mjs"):
    _TYPES.add_type("text/javascript", _ending)
_DIGEST = re.compile(r"[0-9a-f]{96}")
_HEAD = re.compile(rb"<head[^>]*>", re.IGNORECASE)
#: Stands before every script of the page, so that they find who carries their requests (`scripts.py`).
SCRIPT = b'<script src="/connect/page.js"></script>'
Read = Callable[[str], bytes]


@dataclass(frozen=True)
class File:
    """A file of the release: its path there, SHA-384 (hex), size in bytes."""

    name: str
    sha384: str
    size: int


class Pages:
    """The static files of one release. `digest` is the SHA-384 (hex) of its manifest; `read` gives a file of its path,
    or raises OSError, Unreachable."""

    def __init__(self, manifest: bytes, read: Read) -> None:
        """Raises UsageError for what is no release's manifest."""
        self.digest = hashlib.sha384(manifest).hexdigest()
        self.files = dict(_places(_listed(manifest)))
        self._read = read
        if "/" not in self.files:
            raise UsageError(f"the manifest lists no {FRONTEND}index.html: it is not a release's")
        index = self.content(self.files["/"]).decode("utf-8", "replace")
        python = self.files.get("/tee/python.html")
        scripts = script_hashes(self.content(python).decode("utf-8", "replace")) if python else []
        self.policies = Policies(page_policy(script_hashes(index), ()), tuple(scripts))

    def find(self, path: str) -> File | None:
        """The file at an address: every other one is the page's own, but what was a script must not become a page."""
        code = path.startswith(("/_app/", "/static/", "/pyodide/")) or path.endswith(CODE)
        return self.files.get(path) or (None if code else self.files["/"])

    def content(self, file: File) -> bytes:
        """The file's bytes, as the manifest has them. Raises UsageError where they are not that."""
        try:
            found = self._read(file.name)
        except (OSError, Unreachable) as error:
            raise UsageError(f"{file.name} of the release cannot be read: {error}") from None
        if len(found) != file.size or hashlib.sha384(found).hexdigest() != file.sha384:
            raise UsageError(f"{file.name} is not the release's: its SHA-384 is not what {MANIFEST} says")
        return found

    def served(self, file: File) -> bytes:
        """What a browser gets: the same bytes, but for the one script that the page's file has before all others."""
        found = self.content(file)
        if file != self.files["/"]:
            return found
        return _HEAD.sub(lambda head: head.group() + SCRIPT, found, count=1)


def kind(file: File) -> str:
    """The media type that a file is served as."""
    return _TYPES.guess_type(file.name)[0] or "application/octet-stream"


def _listed(manifest: bytes) -> dict[str, File]:
    try:
        entries = load_object(manifest, "the manifest", MAX_MANIFEST).get("files")
    except Malformed as error:
        raise UsageError(str(error)) from None
    found: dict[str, File] = {}
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not isinstance(name := entry.get("path"), str):
            raise UsageError("the manifest holds a file without a path")
        digest, size = entry.get("sha384"), entry.get("size")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest) or not isinstance(size, int):
            raise UsageError(f"the manifest's entry of {name} has no SHA-384 or no size")
        found[name] = File(name, digest, size)
    return found


def _places(files: Mapping[str, File]) -> Iterator[tuple[str, File]]:
    """Address and file of everything that is served; of two for one address the last counts."""
    for name, file in files.items():
        if name.startswith(FRONTEND):
            yield "/" + name.removeprefix(FRONTEND), file
    for folder in STATIC:
        for name, file in files.items():
            if name.startswith(folder):
                yield "/static/" + name.removeprefix(folder), file
    if FRONTEND + "index.html" in files:
        yield "/", files[FRONTEND + "index.html"]


def open_pages(path: Path, fetch: Callable[[str, int], bytes]) -> Pages:
    """The pages of a release's folder, of its archive (.tar.gz), or of its `release.json` alone, whose files `fetch`
    then gets from the service by their address and size. Raises UsageError."""
    try:
        if path.is_dir():
            return Pages((path / MANIFEST).read_bytes(), lambda name: (path / name).read_bytes())
        if tarfile.is_tarfile(path):
            return _from_archive(path)
        manifest = path.read_bytes()
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"--pages {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    addresses = {file.name: (address, file.size) for address, file in dict(_places(_listed(manifest))).items()}
    return Pages(manifest, lambda name: fetch(*addresses[name]))


_kept: list[tempfile.TemporaryDirectory[str]] = []  # as long as this program runs


def _from_archive(path: Path) -> Pages:
    folder = tempfile.TemporaryDirectory(prefix="quote-verifier-")
    _kept.append(folder)
    wanted, root = (FRONTEND, *STATIC), Path(folder.name)
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            name = member.name.partition("/")[2]  # below the folder of the release's name
            if member.isreg() and (name == MANIFEST or name.startswith(wanted)):
                member.name = name
                archive.extract(member, root, filter="data")
    return Pages((root / MANIFEST).read_bytes(), lambda name: (root / name).read_bytes())
