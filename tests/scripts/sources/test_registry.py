from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts.sources import registry
from tests.scripts.tiny import Project


@pytest.mark.slow
def test_pips_own_order_of_settings_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = http://from-file/simple\nextra-index-url =\n  http://b/\n  http://c/\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    assert registry.registry().index == "http://from-file/simple"
    assert registry.registry().extra[-2:] == ("http://b/", "http://c/")
    monkeypatch.setenv("PIP_INDEX_URL", "http://from-environment/simple")
    assert registry.registry().index == "http://from-environment/simple"


def test_without_settings_pip_decides() -> None:
    assert registry.parse("") == registry.Registry("", (), (), "")
    assert registry.parse("freeze.index-url='http://no/'\nnonsense") == registry.Registry("", (), (), "")


def test_uv_gets_what_pip_has(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("UV_")] + ["SSL_CERT_FILE"]:
        monkeypatch.delenv(name, raising=False)
    known = registry.Registry("http://i/", ("http://a/", "http://b/"), ("/wheels",), "/ca.pem")
    monkeypatch.setattr(registry, "registry", lambda: known)
    environment = registry.uv_environment(project.with_(offline=True))
    assert environment["UV_DEFAULT_INDEX"] == "http://i/"
    assert environment["UV_INDEX"] == "http://a/ http://b/"
    assert environment["UV_FIND_LINKS"] == "/wheels"
    assert environment["SSL_CERT_FILE"] == "/ca.pem"
    assert environment["UV_OFFLINE"] == "1"
    assert environment["UV_CACHE_DIR"] == str(project.cfg.cache / "uv")
    locking = registry.uv_environment(project.cfg, locking=True)
    assert "UV_INDEX" not in locking
    assert "UV_FIND_LINKS" not in locking
    assert locking["UV_DEFAULT_INDEX"] == "http://i/"
    assert "UV_OFFLINE" not in registry.uv_environment(project.cfg)


def test_npm_downloads_nothing_from_elsewhere(project: Project) -> None:
    environment = registry.npm_environment(project.with_(offline=True))
    assert environment["npm_config_offline"] == "true"
    assert environment["CYPRESS_INSTALL_BINARY"] == "0"
    assert environment["ONNXRUNTIME_NODE_INSTALL_CUDA"] == "skip"
