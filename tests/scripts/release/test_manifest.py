"""The manifest lists what is there, canonically, and the launcher accepts exactly that."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from launcher.measure import manifest as launched
from scripts.errors import MismatchError
from scripts.release import manifest


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    (folder / "inner").mkdir(parents=True)
    (folder / "start").write_bytes(b"#!/bin/sh\n")
    (folder / "start").chmod(0o755)
    (folder / "inner" / "data").write_bytes(b"")
    return folder


def test_every_file_with_its_digest_size_and_mode(release: Path) -> None:
    digest = manifest.write(release, {"v": 1})
    content = (release / "release.json").read_bytes()
    assert digest == hashlib.sha384(content).hexdigest()
    assert json.loads(content) == {
        "v": 1,
        "files": [
            {"path": "inner/data", "sha384": hashlib.sha384(b"").hexdigest(), "size": 0, "executable": False},
            {"path": "start", "sha384": hashlib.sha384(b"#!/bin/sh\n").hexdigest(), "size": 10, "executable": True},
        ],
    }


def test_the_same_folder_gives_the_same_bytes(release: Path) -> None:
    assert manifest.write(release, {"v": 1}) == manifest.write(release, {"v": 1})


def test_what_the_launcher_checks_is_what_was_written(release: Path) -> None:
    digest = manifest.write(release, {"v": 1})
    read = launched.load(release)
    assert read.digest == digest
    assert launched.differences(release, read) == []
    (release / "inner" / "data").write_bytes(b"x")
    (release / "added").write_bytes(b"")
    (release / "start").chmod(0o644)
    assert [(found.path, found.what) for found in launched.differences(release, read)] == [
        ("added", "added"), ("inner/data", "changed"), ("start", "has another mode"),
    ]  # fmt: skip


def test_a_link_is_refused(release: Path) -> None:
    (release / "link").symlink_to("start")
    with pytest.raises(MismatchError, match="link is a link or no regular file"):
        manifest.write(release, {"v": 1})
