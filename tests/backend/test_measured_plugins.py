"""Tools and Functions run only after the launcher measured them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from open_webui.tee import plugins


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "_measured", set())


def test_asks_once_for_each_content(attester: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = attester(lambda request: b'{"ok": true}\n')
    monkeypatch.setenv("TEE_MEASURER_SOCKET", str(launcher.path))
    for content in ("a", "a", "b"):
        plugins.measure("tool", "weather", content)
    assert launcher.requests == [
        {"kind": "tool", "id": "weather", "sha384": hashlib.sha384(content).hexdigest()} for content in (b"a", b"b")
    ]


@pytest.mark.parametrize("answer", [b'{"ok": false, "message": "no"}\n', b"{}\n", b"nonsense\n", None])
def test_runs_nothing_that_is_not_measured(
    attester: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, answer: bytes | None
) -> None:
    monkeypatch.setenv("TEE_MEASURER_SOCKET", str(attester(lambda request: answer).path))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="tool weather cannot be measured"):
            plugins.measure("tool", "weather", "a")


def test_a_launcher_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEE_MEASURER_SOCKET", str(tmp_path / "nothing"))
    with pytest.raises(RuntimeError, match="does not answer"):
        plugins.measure("function", "f", "a")


@pytest.mark.attack
@pytest.mark.parametrize(
    ("requirements", "named"),
    [
        ("no-such-package-here", "no-such-package-here, which is not in this release"),
        ("packaging, no-such-package-here", "no-such-package-here"),
        ("packaging>=1,<2", "packaging>=1,<2, and this release holds packaging"),
        ("evil @ https://evil.example/evil.zip", "which is an address"),
        ("git+https://evil.example/evil.git", "which is not a package's name"),
        ("../evil.tar.gz", "which is not a package's name"),
        ("--index-url=https://evil.example evil", "which is not a package's name"),
    ],
)
def test_cve_2026_0766_a_requirement_that_the_release_does_not_hold(requirements: str, named: str) -> None:
    with pytest.raises(plugins.RequirementError, match="not installed while the server runs") as caught:
        plugins.require(requirements)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "requirements", [None, "", " , ", "packaging", "packaging>=20,<100, packaging", "x; python_version<'3'"]
)
def test_requirements_that_are_held(requirements: str | None) -> None:
    plugins.require(requirements)
