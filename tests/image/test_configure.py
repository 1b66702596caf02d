"""The machine image's configuration, as the program in the image reads it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.image.program import program

KNOWN = frozenset({"ORIGIN", "LLM", "WEBUI_NAME", "TDX", "DATA_DIR", "TEE_SERVICE_KEY"})


@pytest.fixture(scope="module")
def configure() -> ModuleType:
    """The program, as a module."""
    return program("configure")


def test_settings_and_secrets_are_taken(configure: ModuleType) -> None:
    document = {
        "v": 1,
        "settings": {"ORIGIN": "https://chat.example", "LLM": "none"},
        "secrets": {"TEE_SERVICE_KEY": "k"},
    }
    settings, secrets, clock, _ = configure.check(json.dumps(document).encode(), KNOWN)
    assert settings == document["settings"]
    assert secrets == document["secrets"]
    assert clock == "synchronised"
    assert configure.check(b'{"v": 1, "clock": "host"}', KNOWN) == ({}, {}, "host", 0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "is not {"),
        (b'{"v": 2}', "is not {"),
        (b'{"v": true}', "is not {"),
        (b'{"v": 1, "setings": {}}', "unknown member 'setings'"),
        (b'{"v": 1, "clock": "mine"}', "clock is 'mine', expected synchronised or host"),
        (b'{"v": 1, "clock": ["host"]}', "expected synchronised or host"),
        (b'{"v": 1, "settings": []}', "settings is no object"),
        (b'{"v": 1, "settings": {"ORIGN": "x"}}', "unknown name 'ORIGN'"),
        (b'{"v": 1, "settings": {"LLM": 1}}', "LLM is not one line of text"),
        (b'{"v": 1, "settings": {"LLM": "a\\nDATA_DIR=/x"}}', "LLM is not one line of text"),
        (b'{"v": 1, "settings": {"TDX": "simulated"}}', "TDX is decided by the image"),
        (b'{"v": 1, "secrets": {"DATA_DIR": "/x"}}', "DATA_DIR is decided by the image"),
        (b'{"v": 1, "settings": {"EMBEDDED_MODEL": "/x.gguf"}}', "EMBEDDED_MODEL is decided by the image"),
        (b'{"v": 1, "model": {"name": "a"}}', "model is not {"),
        (b'{"v": 1, "model": {"name": "../a", "bytes": 1, "sha384": ""}}', "model has the name '../a'"),
        (b'{"v": 1, "model": {"name": "a", "bytes": 0, "sha384": ""}}', "model has '0' bytes"),
        (b'{"v": 1, "model": {"name": "a", "bytes": true, "sha384": ""}}', "model has 'True' bytes"),
        (b'{"v": 1, "model": {"name": "a", "bytes": 1, "sha384": "A"}}', "model has the sha384 'A'"),
        (b'{"v": 1, "settings": {"LLM": "none", "LLM": "ollama"}}', "LLM stands in the configuration twice"),
        (
            b'{"v": 1, "settings": {"LLM": "none"}, "secrets": {"LLM": "none"}}',
            "LLM stands under settings and under secrets",
        ),
    ],
)
def test_what_is_wrong_is_named(configure: ModuleType, data: bytes, says: str) -> None:
    with pytest.raises(configure.Refused, match=says):
        configure.check(data, KNOWN)


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "PYTHONPATH", "LD_LIBRARY_PATH", "PATH", "SSL_CERT_FILE", "http_proxy", "PYTHON"]
)
def test_what_programs_read_before_they_are_measured_is_refused(configure: ModuleType, name: str) -> None:
    with pytest.raises(configure.Refused, match=name):
        configure.check(json.dumps({"v": 1, "settings": {name: "x"}}).encode(), KNOWN)


@pytest.mark.parametrize(
    "value", ["plain", 'a "b" c', "back\\slash", "$HOME `x`", "ünï", "", "  spaces  ", "#", "'", "a;b"]
)
def test_a_value_reaches_the_service_as_it_is(configure: ModuleType, value: str) -> None:
    """A shell reads a text in double quotes as systemd's EnvironmentFile= does."""
    line = configure.quoted("LLM", value)
    assert line.count("\n") == 1
    done = subprocess.run(["sh", "-c", f'{line}printf %s "$LLM"'], capture_output=True, text=True, check=True)
    assert done.stdout == value


def test_a_model_becomes_settings_that_the_launcher_measures(configure: ModuleType) -> None:
    digest = "ab" * 48
    document = {"v": 1, "settings": {"LLM": "embedded"}, "model": {"name": "mine-7b", "bytes": 7, "sha384": digest}}
    found = configure.check(json.dumps(document).encode(), KNOWN)
    assert found.settings == {
        "LLM": "embedded",
        "EMBEDDED_MODEL": "/var/lib/open-webui-tdx-models/mine-7b.gguf",
        "EMBEDDED_MODEL_SHA384": digest,
    }
    assert found.model_bytes == 7


def test_files_are_written_as_the_unit_reads_them(configure: ModuleType, tmp_path: Path) -> None:
    configure.write(tmp_path, {"LLM": "none", "ORIGIN": "https://a.example"}, {"TEE_SERVICE_KEY": "k"}, "host")
    assert (tmp_path / "clock").read_text() == "host"
    assert (tmp_path / "settings").read_text() == 'LLM="none"\nORIGIN="https://a.example"\n'
    secret = tmp_path / "secrets" / "TEE_SERVICE_KEY"
    assert secret.read_text() == "k\n"
    assert [secret.stat().st_mode & 0o777, secret.parent.stat().st_mode & 0o777] == [0o600, 0o700]


def _block(folder: Path, name: str, label: str, content: bytes) -> None:
    (folder / "class" / name).mkdir(parents=True)
    (folder / "class" / name / "uevent").write_text(f"DEVNAME={name}\nPARTNAME={label}\n")
    (folder / name).write_bytes(content)


def test_a_labelled_partition_is_read_without_its_zeros(configure: ModuleType, tmp_path: Path) -> None:
    _block(tmp_path, "vdb1", "open-webui-tdx-config", b'{"v": 1}' + bytes(4096))
    _block(tmp_path, "vdb2", "open-webui-tdx-configuration", b"other")
    found: list[tuple[str, Path]] = configure.sources(tmp_path / "none", tmp_path / "class", tmp_path)
    assert [name for name, _ in found] == ["partition vdb1"]
    assert configure.read(found[0][1]) == b'{"v": 1}'
    (tmp_path / "fw").write_bytes(b"{}")
    assert len(configure.sources(tmp_path / "fw", tmp_path / "class", tmp_path)) == 2


def test_a_huge_configuration_is_refused(configure: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"x" * (configure.MAX_BYTES + 1))
    with pytest.raises(configure.Refused, match="larger than"):
        configure.read(path)


def test_two_configurations_or_a_wrong_one_end_the_start(
    configure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*found: tuple[str, bytes]) -> int:
        places = []
        for name, content in found:
            (tmp_path / name).write_bytes(content)
            places.append((name, tmp_path / name))
        monkeypatch.setattr(configure, "sources", lambda: places)
        status: Any = configure.main()
        return int(status)

    monkeypatch.setattr(configure, "OUT", tmp_path)
    monkeypatch.setattr(configure, "known_names", lambda: KNOWN)
    assert run(("fw_cfg", b'{"v": 1}'), ("partition", b'{"v": 1}')) == 2
    assert "more than one configuration (fw_cfg, partition)" in capsys.readouterr().err
    assert run(("fw_cfg", b'{"v": 1, "x": 1}')) == 2
    error = capsys.readouterr().err
    assert "unknown member 'x'" in error and "Nothing is served" in error
    assert not (tmp_path / "settings").exists()
    assert run(("fw_cfg", b'{"v": 1, "settings": {"LLM": "none"}}')) == 0
    assert (tmp_path / "settings").exists()
