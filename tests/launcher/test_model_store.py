from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from launcher.errors import ModifiedError, SettingError, UnavailableError
from launcher.measure import model_store
from launcher.plan.events import model_event

from .ollama_standin import add_model


def test_a_sound_model(tmp_path: Path) -> None:
    digest = add_model(tmp_path)
    model = model_store.load(tmp_path, "tiny")
    assert (model.name, model.digest, len(model.blobs)) == ("tiny:latest", digest, 3)
    assert model_store.verify(tmp_path, [model]) == []


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("llama3.1", "registry.ollama.ai/library/llama3.1/latest"),
        ("llama3.1:8b", "registry.ollama.ai/library/llama3.1/8b"),
        ("me/mine:v1", "registry.ollama.ai/me/mine/v1"),
        ("hf.co/me/x-GGUF:Q4_K_M", "hf.co/me/x-GGUF/Q4_K_M"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b/c"),
    ],
)
def test_names(name: str, path: str) -> None:
    assert model_store.path_of(name) == path


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../../etc/passwd",
        "a/../b",
        "/etc/passwd",
        "a:../../x",
        "a:b/c",
        "a/b/c/d",
        "a:b:c",
        "a b",
        "a\0",
        "a\n",
        ".a",
        "a.",
        "-a",
        "a:",
        ":a",
        "a/",
        "x" * 200,
        "h/../m",
    ],
)
def test_path_tricks_in_names(name: str) -> None:
    with pytest.raises(SettingError):
        model_store.path_of(name)


def test_a_changed_byte_is_found_and_named(tmp_path: Path) -> None:
    add_model(tmp_path)
    model = model_store.load(tmp_path, "tiny")
    blob = tmp_path / "blobs" / f"sha256-{hashlib.sha256(b'weights').hexdigest()}"
    blob.write_bytes(b"weightz")
    (problem,) = model_store.verify(tmp_path, [model])
    assert "tiny:latest" in problem.sentence and blob.name in problem.sentence
    assert problem.sha256 == hashlib.sha256(b"weightz").hexdigest()
    assert model_event(model.name, model.digest, [problem.sha256]) != model_event(model.name, model.digest)
    blob.unlink()
    (problem,) = model_store.verify(tmp_path, [model])
    assert "lacks its blob" in problem.sentence
    blob.symlink_to("/etc/hostname")
    assert len(model_store.verify(tmp_path, [model])) == 1


def test_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"ollama pull tiny.*OLLAMA_MODELS"):
        model_store.load(tmp_path, "tiny")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"config": {"digest": "sha256:../../x", "size": 1}, "layers": []}',
        '{"config": {"digest": "md5:00", "size": 1}, "layers": []}',
        "[" * 100_000,
        json.dumps({"config": {"digest": "sha256:" + "0" * 64, "size": -1}, "layers": []}),
        json.dumps(
            {
                "config": {"digest": "sha256:" + "0" * 64, "size": 1},
                "layers": [{"digest": "sha256:" + "0" * 64, "size": 2}],
            }
        ),
    ],
)
def test_a_broken_manifest(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifests/registry.ollama.ai/library/tiny/latest"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ModifiedError, match="tiny"):
        model_store.load(tmp_path, "tiny")


def test_a_linked_manifest(tmp_path: Path) -> None:
    add_model(tmp_path)
    (tmp_path / "manifests/registry.ollama.ai/library/tiny/other").symlink_to("latest")
    with pytest.raises(UnavailableError):
        model_store.load(tmp_path, "tiny:other")
