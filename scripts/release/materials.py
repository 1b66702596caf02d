"""CycloneDX bills of materials: the release's Python packages, and the JavaScript of its pages."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.building.files import copy_tree
from scripts.config import Config
from scripts.run import Runner
from scripts.tools.node import Node
from scripts.tools.reproducible import reproducible

# Differ from run to run and say nothing about the content.
_VOLATILE = ("serialNumber",)


def python(cfg: Config, run: Runner, out: Path) -> None:
    """What lies in the release's site-packages, by cyclonedx-py."""
    with tempfile.TemporaryDirectory(prefix="materials-") as folder:
        # cyclonedx-py asks an interpreter for its path; this one answers with the release's packages alone.
        interpreter = Path(folder) / "python"
        packages = shlex.quote(str(cfg.release / "site-packages"))
        interpreter.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {shlex.quote(str(cfg.python))} -S "$@"\n')
        interpreter.chmod(0o755)
        raw = Path(folder) / "python.json"
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "-S", "--output-reproducible", "--sv", "1.6"]
        environment = {**reproducible(), "PYTHONPATH": None}
        run([*command, "-o", raw, interpreter], env=environment, quiet=True, what="listing the Python packages")
        _write(cfg, json.loads(raw.read_bytes()), out)


def javascript(cfg: Config, run: Runner, node: Node, sources: Path, out: Path) -> None:
    """What `sources/package-lock.json` locks, development tools left out, by npm's own `npm sbom`."""
    with tempfile.TemporaryDirectory(prefix="materials-") as folder:
        for name in ("package.json", "package-lock.json"):
            copy_tree(sources / name, Path(folder) / name)
        command = [
            node.folder / "node",
            node.npm,
            "sbom",
            "--sbom-format",
            "cyclonedx",
            "--package-lock-only",
            "--omit",
            "dev",
        ]
        listing = run(command, cwd=Path(folder), env=node.environment(cfg), quiet=True, what="listing the npm packages")
    _write(cfg, json.loads(listing[listing.index("{") :]), out)


def _write(cfg: Config, document: dict[str, Any], out: Path) -> None:
    for name in _VOLATILE:
        document.pop(name, None)
    metadata = document.setdefault("metadata", {})
    metadata.pop("timestamp", None)
    metadata["component"] = {
        "type": "application",
        "bom-ref": "open-webui-tdx",
        "name": "open-webui-tdx",
        "version": cfg.pins.release.version,
        "licenses": [{"license": {"id": "BSD-3-Clause"}}],
    }
    _without_addresses(document)
    out.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _without_addresses(document: dict[str, Any]) -> None:
    """Where a package was downloaded from is this machine's affair; what it is follows from its hash."""
    root = document["metadata"]["component"]["bom-ref"]
    known = {component["bom-ref"] for component in document.get("components", [])}
    for component in document.get("components", []):
        references = [entry for entry in component.get("externalReferences", []) if entry.get("type") != "distribution"]
        component.pop("externalReferences", None)
        if references:
            component["externalReferences"] = references
        component["properties"] = [
            entry for entry in component.get("properties", []) if entry.get("name") != "cdx:npm:package:path"
        ]
        if not component["properties"]:
            del component["properties"]
    dependencies = document.get("dependencies", [])
    document["dependencies"] = [
        {**entry, "ref": entry["ref"] if entry["ref"] in known else root} for entry in dependencies
    ]
