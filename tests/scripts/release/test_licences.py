"""Licence texts are found where packages put them, and written once each."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from scripts.release import licences


def distribution(folder: Path, name: str, metadata: str, **texts: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}\n")
    for file, text in texts.items():
        (info / file.replace("__", "/")).write_text(text)


def test_python_packages_declare_in_three_ways(tmp_path: Path) -> None:
    distribution(tmp_path, "a", "License-Expression: MIT", licenses__LICENSE="the MIT text")
    distribution(tmp_path, "b", "Classifier: License :: OSI Approved :: BSD License", COPYING="the BSD text")
    distribution(tmp_path, "c", "License: A long text\n        over two lines")
    distribution(tmp_path, "d", "Summary: nothing")
    found = {part.name: part for part in licences.python(tmp_path)}
    assert (found["a"].declared, found["a"].texts) == ("MIT", ("the MIT text",))
    assert (found["b"].declared, found["b"].texts) == ("BSD License", ("the BSD text",))
    assert "over two lines" in found["c"].texts[0]
    assert (found["d"].declared, found["d"].texts) == ("not declared", ())


def test_npm_packages_of_the_pages_but_not_of_the_tools(tmp_path: Path) -> None:
    packages = {
        "": {"name": "root"},
        "node_modules/a": {"version": "1.0.0", "license": "MIT"},
        "node_modules/@x/b": {"version": "2.0.0", "license": "ISC"},
        "node_modules/linter": {"version": "3.0.0", "license": "MIT", "dev": True},
        "node_modules/svelte": {"version": "4.0.0", "license": "MIT", "dev": True},
        "node_modules/not-for-this-system": {"version": "5.0.0", "license": "MIT", "optional": True},
    }
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": packages}))
    for name in ("a", "@x/b", "linter", "svelte"):
        folder = tmp_path / "node_modules" / name
        folder.mkdir(parents=True)
        (folder / "LICENSE.md").write_text("shared text")
        (folder / "license.js").write_text("code")
    found = licences.npm(tmp_path)
    assert [(part.name, part.version) for part in found] == [("@x/b", "2.0.0"), ("a", "1.0.0"), ("svelte", "4.0.0")]
    licences.write(found, "Title", tmp_path / "out.txt")
    written = (tmp_path / "out.txt").read_text()
    assert written.count("shared text") == 1
    assert "@x/b 2.0.0, a 1.0.0, svelte 4.0.0\n" in written
    assert "code" not in written


def test_what_only_makes_a_bundle_is_no_part_of_it(tmp_path: Path) -> None:
    """Also not what it alone needs; of two versions of one package each finds its own, as Node does."""
    packages: dict[str, dict[str, object]] = {
        "": {"dependencies": {"page": "1", "bundler": "1"}},
        "node_modules/page": {"version": "1.0.0", "dependencies": {"shared": "^2"}},
        "node_modules/bundler": {"version": "1.0.0", "dependencies": {"shared": "^1", "deep": "1"}},
        "node_modules/bundler/node_modules/shared": {"version": "1.0.0"},
        "node_modules/shared": {"version": "2.0.0", "optionalDependencies": {"bundler-less": "1", "absent": "1"}},
        "node_modules/bundler-less": {"version": "3.0.0"},
        "node_modules/deep": {"version": "1.0.0"},
    }
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": packages}))
    for place in packages:
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
    found = {(part.name, part.version) for part in licences.npm(tmp_path, ["bundler"])}
    assert found == {("page", "1.0.0"), ("shared", "2.0.0"), ("bundler-less", "3.0.0")}


def test_packages_inside_pyodide(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "numpy-2.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("numpy-2.0.dist-info/METADATA", "Name: numpy\nVersion: 2.0\nLicense: BSD\n")
        wheel.writestr("numpy-2.0.dist-info/LICENSE.txt", "numpy's text")
    (found,) = licences.pyodide(tmp_path)
    assert (found.name, found.version, found.declared, found.texts) == ("numpy", "2.0", "BSD", ("numpy's text",))
