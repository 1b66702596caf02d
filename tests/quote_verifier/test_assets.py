"""--check-assets: a changed page is found from outside."""

import hashlib
import json
from typing import Any

import pytest
from quote_verifier.assets import Manifest, check_assets, load_manifest
from quote_verifier.bundle import Bundle, bundle_from
from quote_verifier.errors import UsageError
from quote_verifier.fetch import Fetcher
from quote_verifier.verdict import Check, Verdict

from .world import Site, Td

FILES = {"/": b"<html>", "/_app/immutable/a b.js": b"code", "/static/favicon.png": b"png"}
NAMES = {
    "/": "index.html",
    "/_app/immutable/a b.js": "_app/immutable/a b.js",
    "/static/favicon.png": "static/favicon.png",
}
PROVEN = Verdict((Check("eventlog.replay", "pass", ""),), {})


def manifest_bytes(**extra: Any) -> bytes:
    entries = [
        {
            "path": f"backend/open_webui/frontend/{NAMES[path]}",
            "sha384": hashlib.sha384(body).hexdigest(),
            "size": len(body),
        }
        for path, body in FILES.items()
    ]
    return json.dumps(
        {"v": 1, "files": [*entries, {"path": "launcher/x.py", "sha384": "0" * 96, "size": 1}]} | extra
    ).encode()


def bundle_for(manifest: Manifest) -> Bundle:
    line = f'open-webui-tdx release {{"sha384":"{manifest.digest}"}}'
    return bundle_from(Td(events=[line]).bundle())


def served(files: dict[str, bytes], verdict: Verdict = PROVEN) -> Check:
    manifest = load_manifest(manifest_bytes())
    with Site(Td(), files={path.replace(" ", "%20"): body for path, body in files.items()}) as site:
        return check_assets(site.url, manifest, bundle_for(manifest), verdict, Fetcher(), lambda step: None)


def test_unchanged() -> None:
    check = served(FILES)
    assert (check.status, check.detail) == ("pass", "All 3 frontend files are those of the measured release")


@pytest.mark.parametrize("path", sorted(FILES))
@pytest.mark.parametrize("body", [b"evil", b"", None])
def test_changed(path: str, body: bytes | None) -> None:
    changed = {name: content for name, content in FILES.items() if name != path}
    check = served(changed if body is None else changed | {path: body})
    assert check.status == "fail"
    assert path.replace(" ", "%20") in check.detail


def test_longer() -> None:
    assert "sends more than" in served(FILES | {"/": b"<html>" + b"x" * 100}).detail


def test_manifest_of_another_release() -> None:
    manifest = load_manifest(manifest_bytes(name="other"))
    other = bundle_for(load_manifest(manifest_bytes()))
    check = check_assets("http://127.0.0.1:1", manifest, other, PROVEN, Fetcher(), lambda step: None)
    assert check.status == "fail"
    assert "did not measure" in check.detail


def test_unproven_log() -> None:
    unproven = Verdict((Check("eventlog.replay", "fail", ""),), {})
    assert served(FILES, unproven).status == "fail"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b'{"files":[]}',
        b'{"files":[{"path":"x","sha384":"","size":1}]}',
        b'{"files":[1]}',
        b'{"files":[{"path":"backend/open_webui/frontend/a","sha384":"","size":1}]}',
    ],
)
def test_bad_manifest(data: bytes) -> None:
    with pytest.raises(UsageError):
        load_manifest(data)
