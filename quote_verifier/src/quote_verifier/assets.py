"""`--check-assets`: whether the server hands out the frontend that the release's manifest lists, file by file.

Establishes that *this* download equals the release the evidence measured. A server that tells auditors from users can
still serve somebody else another page; only a client that brings its own code is safe from that.
"""

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote as percent_encode

from .bundle import Bundle
from .errors import Malformed, Unreachable, UsageError
from .eventlog import parse_log
from .fetch import Fetcher, join_url
from .strictjson import load_object
from .verdict import Check, Verdict

FRONTEND = "backend/open_webui/frontend/"
# upstream's backend answers these two paths itself; no file of the frontend is served there, and neither holds code
ANSWERED_BY_BACKEND = {"manifest.json", "opensearch.xml"}
MAX_MANIFEST = 64 * 1024 * 1024
WORKERS = 4
SHOWN = 3
_DIGEST = re.compile(r"[0-9a-f]{96}\Z")


@dataclass(frozen=True)
class Asset:
    """One file of the frontend: path below the site's root, SHA-384 (hex), size in bytes."""

    path: str
    sha384: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What release.json says of the frontend; `digest` is the SHA-384 (hex) of release.json itself."""

    digest: str
    assets: tuple[Asset, ...]


def load_manifest(data: bytes) -> Manifest:
    """The frontend's files from the bytes of a release.json. Raises `UsageError`."""
    try:
        entries = load_object(data, "the manifest", MAX_MANIFEST).get("files")
    except Malformed as error:
        raise UsageError(str(error)) from None
    if not isinstance(entries, list):
        raise UsageError("the manifest lists no files; give the release.json of a release")
    assets = tuple(asset for asset in map(_asset, entries) if asset is not None)
    if not assets:
        raise UsageError(f"the manifest lists no file below {FRONTEND}")
    return Manifest(hashlib.sha384(data).hexdigest(), assets)


def _asset(entry: Any) -> Asset | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise UsageError("the manifest holds a file without a path")
    path, digest, size = entry["path"], entry.get("sha384"), entry.get("size")
    if not path.startswith(FRONTEND) or path.removeprefix(FRONTEND) in ANSWERED_BY_BACKEND:
        return None
    if not isinstance(digest, str) or not _DIGEST.match(digest) or not isinstance(size, int) or size < 0:
        raise UsageError(f"the manifest's entry of {path} has no SHA-384 or no size")
    return Asset(path.removeprefix(FRONTEND), digest, size)


def _fault(base: str, asset: Asset, fetcher: Fetcher, key: str | None) -> str | None:
    """What is wrong with the served copy, or with the TLS key of its connection, which was `key` before; or `None`."""
    path = "/" if asset.path == "index.html" else "/" + percent_encode(asset.path)
    try:
        answer = fetcher.get(join_url(base, path), asset.size + 1)
    except Unreachable as error:
        return f"{path}: {error}"
    if answer.spki != key:
        return f"{path}: its connection was ended with another TLS key, {answer.spki}, than that of the evidence"
    if answer.status != 200:
        return f"{path}: HTTP {answer.status}"
    digest = hashlib.sha384(answer.body).hexdigest()
    if len(answer.body) != asset.size or digest != asset.sha384:
        served = f"{len(answer.body)} bytes, SHA-384 {digest[:16]}..."
        return f"{path}: served {served}, expected {asset.size} bytes, {asset.sha384[:16]}..."
    return None


def measured_releases(bundle: Bundle) -> set[str]:
    """The SHA-384 (hex) of every release whose launch the evidence's event log holds, which may not be proven yet."""
    log = bundle.evidence.get("event_log")
    events = parse_log(log) if isinstance(log, str) and log else ()
    return {str(event.content.get("sha384")) for event in events if event.operation == "release"}


def check_assets(
    base: str, manifest: Manifest, bundle: Bundle, verdict: Verdict, fetcher: Fetcher, progress: Callable[[int], None]
) -> Check:
    """`assets.match`: every listed file is served unchanged, and the manifest is the one the launch measured.

    `progress` is called with 1 after each file.
    """
    if not any(check.id == "eventlog.replay" and check.status == "pass" for check in verdict.checks):
        return Check("assets.match", "fail", "Not asked: no proven measurement says which release it should be.")
    if manifest.digest not in measured_releases(bundle):
        return Check(
            "assets.match", "fail", f"the manifest's SHA-384 is {manifest.digest}, which the launch did not measure"
        )
    faults: list[str] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        for fault in pool.map(lambda asset: _fault(base, asset, fetcher, bundle.spki), manifest.assets):
            progress(1)
            if fault:
                faults.append(fault)
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        return Check("assets.match", "fail", "; ".join(faults[:SHOWN]) + more)
    return Check("assets.match", "pass", f"All {len(manifest.assets)} frontend files are those of the measured release")
