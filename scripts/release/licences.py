"""The licences of what a release ships: who declares what, and every distinct licence text once."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

_TEXT = re.compile(r"(^|/)(licen[cs]e|copying|notice|authors)[^/]*$|/(licenses|licences)/[^/]+$", re.IGNORECASE)
_CODE = (".py", ".pyc", ".js", ".mjs", ".ts", ".json", ".so")
BUILDERS = (
    "svelte",
    "@sveltejs/kit",
    "@sveltejs/adapter-static",
    "tailwindcss",
    "vite",
)  # dev packages whose code reaches the pages
NEEDS = ("dependencies", "optionalDependencies", "peerDependencies")


@dataclass(frozen=True)
class Component:
    """One package that is shipped, or whose code is part of what is."""

    name: str
    version: str
    declared: str  # the licence as the package names it
    texts: tuple[str, ...]


def python(site_packages: Path) -> list[Component]:
    """Every installed distribution, from its own metadata."""
    return [_distribution(info) for info in sorted(site_packages.glob("*.dist-info"))]


def _distribution(info: Path) -> Component:
    texts = [
        _read(path) for path in sorted(info.rglob("*")) if path.is_file() and _is_text(f"/{path.relative_to(info)}")
    ]
    return _from_metadata(_read(info / "METADATA"), texts)


def _from_metadata(metadata: str, texts: Iterable[str]) -> Component:
    head = HeaderParser().parsestr(metadata)
    classifiers = [
        line.split("::")[-1].strip() for line in head.get_all("Classifier", []) if line.startswith("License ::")
    ]
    licence = (head.get("License-Expression") or head.get("License") or "").strip()
    declared = licence if licence and "\n" not in licence else ", ".join(classifiers)
    texts = [*texts] or ([licence] if "\n" in licence else [])
    return Component(str(head["Name"]), str(head["Version"]), declared or "not declared", tuple(texts))


def pyodide(folder: Path) -> list[Component]:
    """The Python packages inside the Pyodide bundle."""
    return [_wheel(path) for path in sorted(folder.glob("*.whl"))]


def _wheel(path: Path) -> Component:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if ".dist-info/" in name)
        texts = [archive.read(name).decode("utf-8", "replace") for name in names if _is_text(name)]
        metadata = next((name for name in names if name.endswith("/METADATA")), None)
        content = archive.read(metadata).decode("utf-8", "replace") if metadata else ""
    if not content:
        name, version = path.name.split("-")[:2]
        return Component(name, version, "not declared", tuple(texts))
    return _from_metadata(content, texts)


def npm(folder: Path, tools: Sequence[str] = ()) -> list[Component]:
    """The packages of `folder/package-lock.json` that may be part of the bundle, with the texts in node_modules.

    `tools` only make the bundle: neither they nor what they alone need is part of it.
    """
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    parts = (
        _reached(packages, [name for name in packages[""]["dependencies"] if name not in tools]) if tools else packages
    )
    found: dict[tuple[str, str], Component] = {}
    for place, entry in sorted(packages.items()):
        name = place.rpartition("node_modules/")[2]
        installed = folder / place
        if place in parts and place and (not entry.get("dev") or name in BUILDERS) and installed.is_dir():
            texts = tuple(
                _read(path) for path in sorted(installed.iterdir()) if path.is_file() and _is_text(f"/{path.name}")
            )
            found[name, entry["version"]] = Component(
                name, entry["version"], str(entry.get("license", "not declared")), texts
            )
    return list(found.values())


def _reached(packages: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    """The places in a lock of these packages and of all they need; of a name each finds the nearest, as in Node."""
    reached: set[str] = set()
    wanted = [("", name) for name in names]
    while wanted:
        above, name = wanted.pop()
        place = f"{above}/node_modules/{name}".lstrip("/")
        if place in packages:
            if place not in reached:
                reached.add(place)
                wanted += [(place, each) for kind in NEEDS for each in packages[place].get(kind, ())]
        elif above:
            wanted.append((above.rpartition("node_modules/")[0].rstrip("/"), name))
    return reached


def write(components: Iterable[Component], title: str, out: Path) -> None:
    """One file: a line for each component, then each distinct text with the components it is from."""
    ordered = sorted(set(components), key=lambda part: (part.name.lower(), part.version))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(_document(ordered, title)) + "\n", encoding="utf-8")


def _document(components: list[Component], title: str) -> Iterator[str]:
    yield f"{title}\n"
    by_text: dict[str, list[str]] = {}
    for part in components:
        yield f"{part.name} {part.version}: {part.declared}" + (
            "" if part.texts else " (no licence text in the package)"
        )
        for text in part.texts:
            by_text.setdefault(text.strip(), []).append(f"{part.name} {part.version}")
    for text, names in by_text.items():
        if text:
            yield f"\n{'=' * 100}\n{', '.join(dict.fromkeys(names))}\n{'-' * 100}\n{text}"


def _is_text(name: str) -> bool:
    return bool(_TEXT.search(name)) and not name.endswith(_CODE)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
