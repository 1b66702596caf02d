"""Nothing of the machine that built is in the release: no caches of tools, no start scripts with a public secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.building.files import IGNORED

pytestmark = pytest.mark.release

#: Ways to write HTML, or to ask for something, before which the page has no guard (web/src/client/shown.ts, guard.ts).
UNGUARDED = re.compile(
    r"insertAdjacentHTML|createContextualFragment|setHTMLUnsafe|attachShadow|document\.write\(|\.outerHTML\s*=[^=]"
    r"|\.srcdoc\s*=[^=]|\bsetAttributeNode\b|attributeStyleMap|new EventSource|new RTCPeerConnection"
)


def test_our_parts_hold_sources_only(release: Path) -> None:
    kinds = {".py", ".pyi", ".der", ".key", ".bin", ".md", ".json", ".1", ".typed"}
    for part in ("launcher", "door", "simulator"):
        found = [path.relative_to(release) for path in (release / part).rglob("*") if path.is_file()]
        assert found
        assert not [path for path in found if path.suffix not in kinds or IGNORED & set(path.parts)]


def test_upstreams_start_scripts_and_development_data_are_gone(release: Path) -> None:
    assert sorted(path.name for path in (release / "backend").iterdir()) == [
        "attestation",
        "open_webui",
        "requirements.txt",
    ]


def test_no_file_of_ours_names_a_folder_of_this_machine(release: Path) -> None:
    home = str(Path.home()).encode()
    for part in ("launcher", "simulator", "licences", "open-webui-tdx"):
        place = release / part
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file() and len(home) > 2:
                assert home + b"/" not in path.read_bytes(), path


def test_licences_of_what_is_shipped(release: Path) -> None:
    texts = {path.name: path.read_text() for path in (release / "licences").iterdir()}
    assert "Copyright (c) 2023-2025 Timothy Jaeryang Baek" in texts["open-webui.txt"]
    assert "Apache License" in texts["SmolLM2-135M-Instruct.txt"]
    assert "The ggml authors" in texts["llama.cpp.txt"]
    named = {"python.txt": "fastapi 0.115.7", "javascript.txt": "svelte 4", "web-verifier.txt": "dcap-qvl"}
    for name, component in named.items():
        assert component in texts[name]


@pytest.mark.attack
def test_pages_write_and_ask_in_no_way_that_is_not_guarded(release: Path) -> None:
    """Which ways there are is upstream's to choose: another version of it may need another guard."""
    scripts = list((release / "backend/open_webui/frontend/_app").rglob("*.js"))
    assert len(scripts) > 100
    for path in scripts:
        assert not UNGUARDED.search(path.read_text(encoding="utf-8")), path
