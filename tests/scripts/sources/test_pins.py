from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import PinError
from scripts.sources.pins import load

ROOT = Path(__file__).resolve().parents[3]
RELEASE = """[release]
version = "1-t1"
upstream_version = "1"
upstream_tag = "v1"
upstream_git = "https://example.org/x"
exclude_newer = "2025-03-08"
"""
ENTRY = {
    "project": '"thing"',
    "version": '"1.0"',
    "filename": '"thing-1.0.whl"',
    "sha256": f'"{"a1" * 32}"',
    "size": "12",
    "why": '"a test"',
}


def document(tmp_path: Path, extra: str = "", **changes: str | None) -> Path:
    entry = {key: value for key, value in {**ENTRY, **changes}.items() if value is not None}
    path = tmp_path / "upstream.toml"
    lines = "".join(f"{key} = {value}\n" for key, value in entry.items())
    path.write_text(f"{extra}{RELEASE}[files.thing]\n{lines}")
    return path


def test_the_projects_own_pins_are_in_order() -> None:
    pins = load(ROOT / "upstream.toml")
    assert pins["source"].filename == "open_webui-0.5.20.tar.gz"
    assert pins["source"].sha256 == "d12fe2f53304750a2b1918d93e3432e8977823fc5a5358070fb4d33819514edc"
    assert all(pin.why for pin in pins.files.values())


def test_a_sound_entry(tmp_path: Path) -> None:
    pin = load(document(tmp_path))["thing"]
    assert (pin.project, pin.version, pin.size, pin.sha256) == ("thing", "1.0", 12, "a1" * 32)


@pytest.mark.parametrize("key", sorted(ENTRY))
def test_an_entry_without_a_key_is_refused_by_name(tmp_path: Path, key: str) -> None:
    with pytest.raises(PinError, match=rf"\[files.thing\].*{key}"):
        load(document(tmp_path, "", **{key: None}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sha256", '"abc"'),
        ("sha256", f'"{"A1" * 32}"'),
        ("sha256", '""'),
        ("size", "0"),
        ("size", "-3"),
        ("size", '"12"'),
        ("size", "true"),
        ("why", '" "'),
        ("version", "1.0"),
        ("filename", '"../thing-1.0.whl"'),
        ("filename", '"thing-2.whl"'),
        ("hash", '"x"'),
    ],
)
def test_a_malformed_or_unknown_key_is_refused_by_name(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(PinError, match=rf"\[files.thing\].*{key}"):
        load(document(tmp_path, **{key: value}))


def test_unknown_tables_absent_pins_and_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PinError, match="'surprise'"):
        load(document(tmp_path, extra="surprise = 1\n"))
    with pytest.raises(PinError, match=r"no \[files.other\].*thing"):
        load(document(tmp_path))["other"]
    (tmp_path / "broken.toml").write_text("[release")
    with pytest.raises(PinError, match="not TOML"):
        load(tmp_path / "broken.toml")
    with pytest.raises(PinError, match="missing"):
        load(tmp_path / "absent.toml")
    (tmp_path / "empty.toml").write_text(RELEASE)
    with pytest.raises(PinError, match="files"):
        load(tmp_path / "empty.toml")
