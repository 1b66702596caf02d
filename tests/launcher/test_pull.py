"""Fetching a model: room first, on from where it was cut off, and nothing that is not what its name says."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import pull
from launcher.errors import LauncherError, ModifiedError, SettingError, UnavailableError
from tests.standins import ollama_program
from tests.standins.registry import Registry

WEIGHTS = os.urandom(300_000)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry(WEIGHTS) as found:
        yield found


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(pull, "SPARE", 0)
    program = tmp_path / "ollama"
    program.write_text(f"#!{sys.executable}\n" + Path(ollama_program.__file__).read_text())
    program.chmod(0o755)
    store = tmp_path / "models"
    return {"OLLAMA_BINARY": str(program), "OLLAMA_MODELS": str(store), "RETRY_S": "1", "HOME": str(tmp_path)}


@pytest.mark.slow
def test_a_model_is_fetched_and_compared(
    registry: Registry, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull.pull(environ, registry.model) == hashlib.sha256(registry.manifest).hexdigest()
    assert "3 blobs are what their names say" in capsys.readouterr().out


@pytest.mark.slow
def test_lost_connections_go_on_from_what_is_there(registry: Registry, environ: dict[str, str]) -> None:
    registry.cut_after = 120_000
    pull.pull(environ, registry.model)
    begins = [int(found[1]) for line in registry.requests if (found := re.search(r"bytes=(\d+)-", line))]
    assert begins[:3] == [0, 120_000, 240_000]


@pytest.mark.slow
def test_attempts_in_vain_end_with_what_was_fetched_kept(registry: Registry, environ: dict[str, str]) -> None:
    registry.cut_after = 120_000
    weights = hashlib.sha256(WEIGHTS).hexdigest()
    registry.blobs[weights] = WEIGHTS[:200_000]  # the rest never comes
    with pytest.raises(UnavailableError, match=r"could not be fetched in 2 attempts .*goes on from there"):
        pull.pull({**environ, "ATTEMPTS": "2"}, registry.model)
    kept = Path(environ["OLLAMA_MODELS"]) / "blobs" / f"sha256-{weights}-partial"
    assert kept.read_bytes() == WEIGHTS[:200_000]


def test_a_disk_that_is_too_small_is_said_before_anything_starts(
    registry: Registry, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "SPARE", 1 << 60)
    with pytest.raises(UnavailableError, match=r"needs 0\.0 GB more .* are free: make room.*Nothing was changed"):
        pull.pull(environ, registry.model)
    assert not Path(environ["OLLAMA_MODELS"]).exists()
    assert len(registry.requests) == 1


@pytest.mark.slow
def test_a_blob_that_is_not_what_its_name_says(registry: Registry, environ: dict[str, str]) -> None:
    pull.pull(environ, registry.model)
    blob = Path(environ["OLLAMA_MODELS"]) / "blobs" / f"sha256-{hashlib.sha256(WEIGHTS).hexdigest()}"
    blob.write_bytes(b"x" * len(WEIGHTS))
    with pytest.raises(ModifiedError, match="is not what its name says"):
        pull.pull(environ, registry.model)


@pytest.mark.parametrize(
    ("name", "settings", "kind", "sentence"),
    [
        ("{}/library/unknown", {}, UnavailableError, "does not say what the model .* consists of .*404"),
        ("127.0.0.1:1/library/tiny", {}, UnavailableError, "check its name and the network. Nothing was changed"),
        ("../tiny", {}, SettingError, "is not the name of a model"),
        ("{}/library/tiny", {"ATTEMPTS": "0"}, SettingError, "ATTEMPTS=0 is not a whole number"),
        ("{}/library/tiny", {"OLLAMA_BINARY": "/nonexistent"}, UnavailableError, "install it or set OLLAMA_BINARY"),
    ],
)
def test_what_is_refused(
    registry: Registry,
    environ: dict[str, str],
    name: str,
    settings: dict[str, str],
    kind: type[LauncherError],
    sentence: str,
) -> None:
    with pytest.raises(kind, match=sentence):
        pull.pull({**environ, **settings}, name.format(registry.url.removeprefix("http://")))
    assert not Path(environ["OLLAMA_MODELS"]).exists()


def test_only_a_registry_on_this_machine_is_asked_without_tls() -> None:
    assert pull.registry("deepseek-r1:70b") == ("https://registry.ollama.ai", False)
    assert pull.registry("registry.example/library/tiny")[0] == "https://registry.example"
    assert pull.registry("127.0.0.1:5000/library/tiny") == ("http://127.0.0.1:5000", True)
