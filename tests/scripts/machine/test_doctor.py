from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.machine import doctor, tdxguest
from scripts.machine.doctor import Finding, examine, show
from tests.scripts.tiny import Project


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No questions to servers."""
    monkeypatch.setattr(doctor, "_npm", lambda cfg: Finding("frontend", "npm registry", "ok", ""))
    monkeypatch.setattr(doctor, "_index_trouble", lambda: "")
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")


def state(findings: list[Finding], what: str) -> Finding:
    return next(finding for finding in findings if finding.what == what)


def test_it_changes_nothing(project: Project, quiet: None) -> None:
    examine(project.cfg)
    assert not any(path.exists() for path in (project.cfg.build, project.cfg.dist, project.cfg.cache, project.cfg.var))


def test_what_lacks_is_named_with_numbers(project: Project, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "available_memory_mb", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    findings = examine(project.cfg)
    assert state(findings, "git").state == "lacks"
    assert state(findings, "C compiler").state == "note"
    assert state(findings, "memory").detail.startswith("1.0 GB free, 4.2 GB needed")
    assert not show(findings)


def test_offline_is_judged_by_the_cache(project: Project, quiet: None) -> None:
    assert state(examine(project.with_(offline=True)), "Python index").state == "lacks"
    (project.cfg.cache / "files").mkdir(parents=True)
    (project.cfg.cache / "files" / project.sdist.name).write_bytes(project.sdist.read_bytes())
    assert state(examine(project.with_(offline=True)), "Python index").state == "ok"


def test_an_index_that_does_not_answer(project: Project, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_index_trouble", lambda: "cannot be asked")
    assert state(examine(project.cfg), "Python index").state == "lacks"


def test_a_tdx_guest_without_the_library_lacks_it(
    project: Project, quiet: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = tmp_path / "tdx_guest"
    monkeypatch.setattr(tdxguest, "DEVICES", (str(device),))
    monkeypatch.setattr(tdxguest, "LIBRARY", "libno-such-library.so.1")
    assert state(examine(project.cfg), "libno-such-library.so.1").state == "note"
    device.write_text("")
    assert state(examine(project.cfg), "libno-such-library.so.1").state == "lacks"
    assert state(examine(project.cfg), "TDX device").detail == str(device)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert show([Finding("run", "thing", "note", "detail")])
    told = capsys.readouterr().out
    assert "thing" in told
    assert "Nothing that the build and the run need is lacking." in told
    assert not show([Finding("run", "thing", "lacks", "detail")])
    assert "Lacking: thing." in capsys.readouterr().out
