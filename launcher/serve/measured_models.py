"""The file that tells the web server which of Ollama's models were measured: only those can be chatted with.

`{"v": 1, "models": {"llama3:8b": "<manifest's SHA-256, hex>", ...}}`, readable by the web server's account, writable
by the launcher's only. The web server compares the digest with what Ollama shows at the time of the chat, so that a
model that was pulled anew under a measured name is not taken for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..datadir import DataDir
from ..errors import writing
from ..files import beside, sync_folder


def read(data: DataDir) -> dict[str, str]:
    """What the file holds; nothing where there is none."""
    return read_file(data.measured_models)


def read_file(path: Path) -> dict[str, str]:
    """The same by the file's path."""
    try:
        document = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in document.get("models", {}).items()}


def write(data: DataDir, models: Mapping[str, str]) -> None:
    """Replace the file in one step. Raises DataError."""
    target = data.measured_models
    with writing("the list of measured models", target):
        with beside(target) as fresh:
            fresh.write_text(json.dumps({"v": 1, "models": dict(sorted(models.items()))}))
            fresh.chmod(0o644)
        sync_folder(target.parent)
