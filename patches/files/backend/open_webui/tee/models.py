"""Only models that were measured can be chatted with.

The launcher names them in the file `TEE_MEASURED_MODELS`, `{"v": 1, "models": {name: <SHA-256 of the manifest, hex>}}`,
and replaces that file when a model is added. The digest is compared with what Ollama shows now, since a model can be
pulled anew under a name that was measured.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import aiohttp
from fastapi import HTTPException

CHAT_PATHS = ("/api/chat", "/api/generate", "/v1/chat/completions", "/v1/completions")
#: How long Ollama's list is believed: a chat sends several requests at once.
CACHE_S = 2.0
TIMEOUT_S = 5.0

_offered: dict[str, tuple[float, dict[str, str]]] = {}


def canonical(name: str) -> str:
    """The name with its tag, as Ollama lists it."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


async def check(url: str, payload: str | bytes) -> None:
    """Raise HTTPException 403 if `payload`, about to go to Ollama at `url`, asks an unmeasured model to answer."""
    file = os.environ.get("TEE_MEASURED_MODELS")
    path = next((path for path in CHAT_PATHS if url.endswith(path)), None)
    if not file or path is None:
        return
    try:
        name = canonical(json.loads(payload)["model"])
        measured = json.loads(Path(file).read_text())["models"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise HTTPException(
            403, "It cannot be told whether this model was measured, so it cannot be chatted with."
        ) from None
    if name not in measured:
        raise HTTPException(
            403,
            f"The model {name} was not measured, so it cannot be chatted with: its operator can add it with "
            f"measure-model {name}.",
        )
    for fresh in (False, True):  # nobody is refused from memory: the model may have come a moment ago
        if (await _list(url.removesuffix(path), fresh)).get(name) == measured[name]:
            return
    raise HTTPException(
        403,
        f"The model {name} is not the one that was measured, so it cannot be chatted with: its operator can measure "
        "it anew.",
    )


async def _list(base_url: str, fresh: bool = False) -> dict[str, str]:
    """What Ollama at `base_url` offers: manifest digests by name, remembered for CACHE_S unless `fresh`."""
    asked, models = _offered.get(base_url, (0.0, {}))
    if not fresh and time.monotonic() - asked < CACHE_S:
        return models
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{base_url}/api/tags") as answer:
            document = await answer.json()
        if answer.status == 503 and isinstance(document["error"], str):  # the launcher's relay: why nothing is sent
            raise HTTPException(503, document["error"])
        entries = document["models"]
        models = {entry["name"]: entry["digest"].removeprefix("sha256:") for entry in entries}
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, AttributeError):
        raise HTTPException(503, "Ollama does not say which models it has; try again in a moment.") from None
    _offered[base_url] = (time.monotonic(), models)
    return models
