from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import ModifiedError
from launcher.measure import manifest

from .conftest import write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.py", "deep/er/b.js", "run.sh"):
        (tmp_path / "r" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "r" / name).write_text(name)
    (tmp_path / "r/run.sh").chmod(0o755)
    write_manifest(tmp_path / "r")
    return tmp_path / "r"


def found(folder: Path) -> dict[str, str]:
    return {item.path: item.what for item in manifest.differences(folder, manifest.load(folder))}


def test_an_untouched_release(folder: Path) -> None:
    assert found(folder) == {}
    assert manifest.load(folder).digest == hashlib.sha384((folder / "release.json").read_bytes()).hexdigest()


def test_every_kind_of_difference(folder: Path) -> None:
    (folder / "a.py").write_text("a.pz")
    (folder / "deep/er/b.js").unlink()
    (folder / "run.sh").chmod(0o644)
    (folder / "new").write_text("")
    (folder / "link").symlink_to("a.py")
    (folder / "linked").symlink_to("deep")
    assert found(folder) == {
        "a.py": "changed",
        "deep/er/b.js": "missing",
        "run.sh": "has another mode",
        "new": "added",
        "link": "a symbolic link",
        "linked": "a symbolic link",
    }
    with pytest.raises(ModifiedError, match=r"a.py \(changed\).*and 1 more.*--allow-modified"):
        manifest.refuse(manifest.differences(folder, manifest.load(folder)))


def test_a_file_replaced_by_a_link_to_the_same_content(folder: Path) -> None:
    (folder / "a.py").rename(folder.parent / "a.py")
    (folder / "a.py").symlink_to(folder.parent / "a.py")
    assert found(folder) == {"a.py": "a symbolic link"}


def test_a_linked_manifest_is_refused(folder: Path) -> None:
    (folder / "release.json").rename(folder.parent / "m.json")
    (folder / "release.json").symlink_to(folder.parent / "m.json")
    with pytest.raises(ModifiedError):
        manifest.load(folder)


GOOD = {"path": "a", "sha384": "0" * 96, "size": 1}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"files": []},
        {"files": {}},
        {"files": [1]},
        {"files": [GOOD, GOOD]},
        *(
            {"files": [{**GOOD, **change}]}
            for change in (
                {"path": "/a"},
                {"path": "../a"},
                {"path": "a/../b"},
                {"path": "./a"},
                {"path": ""},
                {"path": "a//b"},
                {"path": 1},
                {"path": "release.json"},
                {"path": "a\0"},
                {"sha384": "0" * 64},
                {"sha384": "G" * 96},
                {"sha384": None},
                {"size": -1},
                {"size": "1"},
                {"size": True},
            )
        ),
    ],
)
def test_a_broken_manifest(tmp_path: Path, document: Any) -> None:
    (tmp_path / "release.json").write_text(json.dumps(document))
    with pytest.raises(ModifiedError, match="broken"):
        manifest.load(tmp_path)


@pytest.mark.parametrize("text", ['{"files": [], "files": []}', "[" * 100_000, "\xff", "nan"])
def test_a_manifest_that_is_not_sound_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "release.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModifiedError, match="broken"):
        manifest.load(tmp_path)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ModifiedError, match="cannot be read"):
        manifest.load(tmp_path)
