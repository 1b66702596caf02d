"""Preparing an Ollama: a stand-in server that answers its API, and a store on the disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from launcher.errors import ModifiedError, SettingError, UnavailableError
from launcher.measure import manifest, model_server, models, ollama, ollama_program, sockets
from launcher.plan import effective, settings
from launcher.plan.settings import Settings

from .ollama_standin import FakeOllama, add_model, running


@pytest.fixture
def server() -> Iterator[FakeOllama]:
    with running() as found:
        yield found


@pytest.fixture
def chosen(server: FakeOllama, tmp_path: Path) -> Settings:
    digest = add_model(tmp_path)
    server.offer("tiny:latest", digest)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ollama").write_bytes(b"program")
    return replace(
        settings.load({"OLLAMA_BASE_URL": server.url}),
        ollama_models=tmp_path,
    )


def no_check() -> None:
    pass


def test_events_and_allowed_models(chosen: Settings, server: FakeOllama) -> None:
    prepared = models.with_ollama(chosen, False, no_check)
    assert [event.operation for event in prepared.events] == ["ollama", "model"]
    assert prepared.events[0].content["version"] == "0.5.7" and prepared.events[0].content["libraries"] == ""
    assert prepared.allowed == {"tiny:latest": server.tags[0]["digest"]}


def test_libraries_count(chosen: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = SimpleNamespace(pid=1, device=2, inode=3, executable=tmp_path / "bin/ollama")
    monkeypatch.setattr(ollama_program, "find", lambda url: elsewhere)
    (tmp_path / "lib/ollama").mkdir(parents=True)
    (tmp_path / "lib/ollama/libggml.so").write_bytes(b"1")
    first = models.with_ollama(chosen, False, no_check).events[0].line
    (tmp_path / "lib/ollama/libggml.so").write_bytes(b"2")
    assert models.with_ollama(chosen, False, no_check).events[0].line != first


def test_a_changed_blob_refuses_or_is_measured(chosen: Settings, tmp_path: Path) -> None:
    sound = models.with_ollama(chosen, False, no_check).events[1].line
    blob = next(path for path in (tmp_path / "blobs").iterdir() if path.read_bytes() == b"weights")
    blob.write_bytes(b"weightz")
    with pytest.raises(ModifiedError, match=blob.name):
        models.with_ollama(chosen, False, no_check)
    assert models.with_ollama(chosen, True, no_check).events[1].line != sound


def test_another_store(chosen: Settings, tmp_path: Path, server: FakeOllama) -> None:
    server.tags[0]["digest"] = "0" * 64
    with pytest.raises(UnavailableError, match="OLLAMA_MODELS"):
        models.with_ollama(chosen, False, no_check)


def test_only_named_models(chosen: Settings, server: FakeOllama, tmp_path: Path) -> None:
    server.offer("big:70b", add_model(tmp_path, "library/big/70b", b"big"))
    assert len(models.with_ollama(chosen, False, no_check).events) == 3
    assert models.with_ollama(replace(chosen, models=("tiny",)), False, no_check).allowed == {
        "tiny:latest": server.tags[0]["digest"]
    }
    with pytest.raises(UnavailableError, match="nope:latest"):
        models.with_ollama(replace(chosen, models=("nope",)), False, no_check)


def test_models_that_run_elsewhere_are_not_offered(chosen: Settings, server: FakeOllama) -> None:
    server.tags.append({"name": "cloud:latest", "digest": "0" * 64, "remote_host": "https://ollama.example"})
    assert set(ollama.models(server.url)) == {"tiny:latest"}


def test_an_ollama_on_another_machine_is_not_measured(chosen: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effective, "is_local", lambda url: False)
    prepared = models.with_ollama(chosen, False, no_check)
    assert prepared.events == () and prepared.allowed is None


def test_the_embedded_model_answers_to_a_key_of_this_launch_only(release: Path) -> None:
    plain = settings.load({})
    prepared = [models.embedded(release, manifest.load(release), plain).server for _ in range(2)]
    keys = {server.key for server in prepared}
    assert len(keys) == 2 and all(len(key) >= 32 for key in keys)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A model of the operator's own, in a folder that only they can change."""
    path = tmp_path / "models" / "mine-7b.gguf"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    path.chmod(0o644)
    return path


def own(path: Path, content: bytes = b"weights") -> Settings:
    said = hashlib.sha384(content).hexdigest()
    return settings.load({"LLM": "embedded", "EMBEDDED_MODEL": str(path), "EMBEDDED_MODEL_SHA384": said})


def test_a_model_of_the_operators_own_is_measured_as_what_it_holds(release: Path, weights: Path) -> None:
    listed = manifest.load(release)
    prepared = models.embedded(release, listed, own(weights))
    assert prepared.server.weights == weights and prepared.server.models == ("mine-7b",)
    model = prepared.events[1].content
    assert model == {"name": "mine-7b", "digest": f"sha384:{hashlib.sha384(b'weights').hexdigest()}"}
    weights.unlink()  # reference values are made without it
    assert models.embedded(release, listed, own(weights), read=False).events == prepared.events
    with pytest.raises(UnavailableError, match="mine-7b.gguf cannot be read: No such file"):
        models.embedded(release, listed, own(weights))


@pytest.mark.attack
def test_a_model_that_is_not_what_the_settings_say_is_refused(release: Path, weights: Path) -> None:
    with pytest.raises(ModifiedError, match="mine-7b.gguf is not what EMBEDDED_MODEL_SHA384 says"):
        models.embedded(release, manifest.load(release), own(weights, b"weightz"))
    (weights.parent / "link.gguf").symlink_to(weights)
    with pytest.raises(UnavailableError, match="link.gguf cannot be read"):
        models.embedded(release, manifest.load(release), own(weights.parent / "link.gguf"))


@pytest.mark.attack
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_model_that_another_account_could_exchange_is_refused(release: Path, weights: Path, place: str) -> None:
    (weights if place == "file" else weights.parent).chmod(0o777)
    with pytest.raises(UnavailableError, match="could be exchanged by another account"):
        models.embedded(release, manifest.load(release), own(weights))


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"EMBEDDED_MODEL": "/m/a.gguf"}, "go together"),
        ({"EMBEDDED_MODEL_SHA384": "a" * 96}, "go together"),
        ({"EMBEDDED_MODEL": "m/a.gguf"}, "no absolute path"),
        ({"EMBEDDED_MODEL": "/m/a.b.gguf"}, "no absolute path"),
        ({"EMBEDDED_MODEL": "/m/a.gguf", "EMBEDDED_MODEL_SHA384": "A" * 96}, "no SHA-384"),
        ({"EMBEDDED_MODEL": "/m/a.gguf", "EMBEDDED_MODEL_SHA384": "a" * 96, "LLM": "auto"}, "LLM is auto"),
    ],
)
def test_settings_of_a_model_that_do_not_fit_are_refused(said: dict[str, str], wrong: str) -> None:
    with pytest.raises(SettingError, match=wrong):
        settings.load({"LLM": "embedded", **said})


def test_choosing_a_model_server(chosen: Settings) -> None:
    nowhere = "http://127.0.0.1:1"
    assert model_server.choose(chosen, "tdx-simulated") == "ollama"
    assert model_server.choose(replace(chosen, ollama_base_url=nowhere), "tdx-simulated") == "embedded"
    with pytest.raises(UnavailableError, match="LLM=embedded"):  # never a toy in silence on real hardware
        model_server.choose(replace(chosen, ollama_base_url=nowhere), "tdx")
    assert model_server.choose(replace(chosen, ollama_base_url=nowhere, llm="embedded"), "tdx") == "embedded"
    with pytest.raises(UnavailableError, match="ollama serve"):
        model_server.choose(replace(chosen, ollama_base_url=nowhere, llm="ollama"), "tdx-simulated")


def test_the_program_behind_the_port_is_found(server: FakeOllama) -> None:
    found = ollama_program.find(server.url)
    assert found.pid == os.getpid() and found.executable.resolve() == Path("/proc/self/exe").resolve()
    assert len(ollama_program.measure(found.executable).sha384) == 96


@pytest.mark.attack
def test_a_good_file_does_not_speak_for_another_program_that_answers(chosen: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModifiedError, match=f"OLLAMA_BINARY=.*process {os.getpid()}"):
        models.with_ollama(replace(chosen, ollama_binary=str(tmp_path / "bin/ollama")), False, no_check)
    (tmp_path / "same").write_bytes(Path("/proc/self/exe").read_bytes())
    models.with_ollama(replace(chosen, ollama_binary=str(tmp_path / "same")), False, no_check)


@pytest.mark.attack
def test_an_ollama_that_cannot_be_seen_is_not_claimed(chosen: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "held", lambda pid, proc=sockets.PROC: set())
    with pytest.raises(UnavailableError, match="cannot be seen"):
        models.with_ollama(chosen, False, no_check, must_see=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UnavailableError, match="cannot be seen"):
        models.with_ollama(chosen, False, no_check, must_see=True)


def test_a_server_that_talks_nonsense(server: FakeOllama) -> None:
    server.tags = [{"name": "x"}]
    with pytest.raises(UnavailableError):
        ollama.models(server.url)
