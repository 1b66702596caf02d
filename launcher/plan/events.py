"""What a launch measures: the list of events, computed from the release, its settings and its models.

The same functions serve the launch and the build (``python -m launcher events``), so that reference values cannot
drift from what a launch does. Nothing here touches a register; ``registers.py`` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quote_generator import aael

from ..errors import ModifiedError
from ..measure.manifest import Difference, Manifest
from ..measure.model_store import Model, Problem
from ..serve import llm
from . import effective
from .settings import Settings
from .webserver import ModelServer

# A log is read by people: a release that differs in more files than this is named by one digest over all of them.
MAX_NAMED = 32


@dataclass(frozen=True)
class Event:
    """One line of the event log to be: an operation and its content (JSON object)."""

    operation: str
    content: Mapping[str, Any]

    @property
    def line(self) -> str:
        """The exact AAEL line, without a line break."""
        return aael.format_line(self.operation, self.content)


def release_events(digest: str, differences: list[Difference]) -> list[Event]:
    """``release`` (the manifest's SHA-384), and ``modified`` if the folder is not what the manifest says."""
    found = [Event("release", {"sha384": digest})]
    if differences:
        text = "".join(f"{item.path}\0{item.what}\0{item.sha384 or ''}\n" for item in differences)
        found.append(
            Event(
                "modified",
                {
                    "count": len(differences),
                    "sha384": hashlib.sha384(text.encode("utf-8", "surrogateescape")).hexdigest(),
                    "files": [
                        {
                            "path": item.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
                            "what": item.what,
                        }
                        | ({"sha384": item.sha384} if item.sha384 else {})
                        for item in differences[:MAX_NAMED]
                    ],
                },
            )
        )
    return found


def settings_events(
    env: Mapping[str, str], theirs: Mapping[str, str], server: ModelServer, settings: Settings
) -> list[Event]:
    """``settings``, and one ``endpoint`` for everything that leaves this machine."""
    found = [Event("settings", effective.event(env, theirs, server, settings))]
    return found + [Event("endpoint", content) for content in effective.endpoints(env)]


def embedded_events(release: Path, manifest: Manifest) -> list[Event]:
    """``llm`` (the engine's library) and ``model`` (its weights), from the files that were just checked."""
    engine = next((path for path in manifest.files if path.startswith("site-packages/xllamacpp/xllamacpp.")), None)
    weights = next(
        (path for path in sorted(manifest.files) if path.startswith("llm/") and path.endswith(".gguf")), None
    )
    if engine is None or weights is None:
        raise ModifiedError(f"The manifest of {release} lists no embedded model or no engine for it; use LLM=ollama.")
    return [
        Event("llm", {"engine": "xllamacpp", "sha384": manifest.files[engine].sha384}),
        Event("model", {"name": llm.model_name(Path(weights)), "digest": f"sha384:{manifest.files[weights].sha384}"}),
    ]


def ollama_event(version: str, sha384: str, libraries: str) -> Event:
    """``ollama``: its version, the SHA-384 of the binary that answers, one digest over its libraries (or "")."""
    return Event("ollama", {"version": version, "sha384": sha384, "libraries": libraries})


def model_event(model: Model, problems: Sequence[Problem] = ()) -> Event:
    """``model``: the name as Ollama shows it and its manifest's digest, which names every blob in turn.

    ``broken`` is there only where a launch with --allow-modified serves blobs that are not what their names say.
    """
    broken = [problem.sha256 for problem in problems if problem.model == model.name]
    content = {"name": model.name, "digest": f"sha256:{model.digest}"}
    return Event("model", content | ({"broken": broken} if broken else {}))


def code_event(kind: str, identifier: str, content: str) -> Event:
    """``tool`` or ``function``: administrators' Python, by the SHA-384 of its UTF-8 text."""
    return Event(kind, {"id": identifier, "sha384": hashlib.sha384(content.encode()).hexdigest()})


def account_event(name: str) -> Event:
    """``account``: the web server can reach the TDX device, which it should not."""
    return Event("account", {"web_server": name})


def rtmr3(events: list[Event]) -> str:
    """RTMR 3 (hex) after a launch that measures exactly these events, the INIT line before them."""
    return aael.replay_lines([aael.INIT_LINE, *(event.line for event in events)]).hex()
