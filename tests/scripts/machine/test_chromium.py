from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from scripts.errors import CommandError, MissingError
from scripts.machine import chromium
from tests.scripts.tiny import Project


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    browsers = {"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "pw")}
    assert chromium.find(browsers) is None
    own = program(tmp_path / "pw" / "chromium-1200" / "chrome-linux" / "chrome")
    assert chromium.find(browsers) == own
    system = program(tmp_path / "bin" / "google-chrome")
    assert chromium.find(browsers) == system
    named = program(tmp_path / "mine")
    assert chromium.find({**browsers, "CHROMIUM": str(named)}) == named
    assert chromium.find({**browsers, "CHROMIUM": "/no/such"}) is None


def test_each_way_to_install_is_tried(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Run:
        def say(self, text: str) -> None: ...

        def __call__(self, command: list[object], **_: object) -> str:
            tried.append(str(command[0]))
            if len(tried) == 1:
                raise CommandError("failed; log")
            program(tmp_path / "bin" / "chromium")
            return ""

    monkeypatch.setattr(shutil, "which", lambda name: name if name == "apt-get" else _found(tmp_path, name))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(MissingError, match="no Chromium"):
        chromium.obtain(project.with_(offline=True), Run(), Path("python"))  # type: ignore[arg-type]
    assert chromium.obtain(project.cfg, Run(), Path("python")) == tmp_path / "bin" / "chromium"  # type: ignore[arg-type]
    assert tried == ["python", "apt-get"]


def _found(folder: Path, name: str) -> str | None:
    path = folder / "bin" / name
    return str(path) if path.exists() else None
