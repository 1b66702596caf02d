"""The same lock and the same release give the same image, wherever and whenever it is made."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from scripts.image import building
from scripts.run import Runner
from tests.image.built import Built

pytestmark = [pytest.mark.image, pytest.mark.slow]


def test_a_second_image_has_the_same_bytes(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(built.cfg, build=tmp_path / "b" / "build", dist=tmp_path / "d")
    other.dist.mkdir()
    other.release.symlink_to(built.cfg.release)
    monkeypatch.setenv("TZ", "Asia/Jakarta")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    before = os.umask(0o077)
    try:
        made = building.build(other, Runner("image", tmp_path / "log"))
    finally:
        os.umask(before)
    with made.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == built.predicted["image_sha256"]
