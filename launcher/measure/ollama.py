"""Ask a running Ollama what it is and which models it has."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from ..errors import UnavailableError

TIMEOUT_S = 3.0
MAX_ANSWER = 16 * 1024 * 1024


def _get(base_url: str, path: str) -> dict[str, Any]:
    # No proxy: the answer decides what is measured, so it must come from the address that was named.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(base_url + path, timeout=TIMEOUT_S) as answer:
        document = json.loads(answer.read(MAX_ANSWER))
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def version(base_url: str) -> str | None:
    """The version of the Ollama that answers at `base_url`, None if none does."""
    try:
        found = _get(base_url, "/api/version").get("version")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, str) and len(found) < 64 else None


def models(base_url: str) -> dict[str, str]:
    """Name (`llama3:8b`) to manifest digest (hex SHA-256) of every model that the server runs itself (not those
    that it passes on to a service elsewhere)."""
    try:
        entries = _get(base_url, "/api/tags").get("models") or []
        return {
            str(entry["name"]): str(entry["digest"]).removeprefix("sha256:")
            for entry in entries
            if not entry.get("remote_host") and not entry.get("remote_model")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(f"Ollama at {base_url} does not list its models: {error}.") from error
