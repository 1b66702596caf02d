"""Prepare what answers chats, and say what of it is to be measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModifiedError, UnavailableError
from ..plan import effective
from ..plan.events import Event, embedded_events, model_event, ollama_event
from ..plan.settings import Settings
from ..plan.webserver import ModelServer
from ..serve import llm, services
from ..summary import notice, say
from . import model_store, ollama, ollama_binary, verity
from .manifest import Manifest


@dataclass(frozen=True)
class Prepared:
    """The model server as far as it is known before it is started, its events, and which models may be chatted with.

    ``allowed`` is None where the launch cannot know (an Ollama elsewhere, a service of the operator's).
    """

    server: ModelServer
    events: tuple[Event, ...] = ()
    allowed: dict[str, str] | None = None


def embedded(release: Path, manifest: Manifest) -> Prepared:
    """The embedded model; its addresses are not known yet, and they are not measured."""
    name = llm.model_name(services.weights_file(release))
    # Placeholders: effective.event replaces the addresses, which differ from launch to launch, by a word.
    server = ModelServer("embedded", "http://127.0.0.1/chat", "http://127.0.0.1/embeddings", "key", name, (name,))
    return Prepared(server, tuple(embedded_events(release, manifest)))


def with_ollama(settings: Settings, allow_modified: bool, check: Callable[[], None], seal: bool = False) -> Prepared:
    """Ollama: its program, and every model it will serve, read from its store on the disk.

    ``seal`` switches fs-verity on for the models' blobs where the file system has it.
    """
    url = settings.ollama_base_url
    offered = ollama.models(url)
    if not effective.is_local(url):
        notice(f"Ollama at {url} is another machine: chats leave this one, and its models cannot be measured.")
        return Prepared(ModelServer("ollama", models=tuple(offered)))
    version = ollama.version(url) or ""
    program, libraries = ollama_binary.measure(ollama_binary.find(url, settings.ollama_binary), check)
    names = [model_store.canonical(name) for name in settings.models] or sorted(offered)
    found = [load_offered(settings, name, offered) for name in names]
    if seal:
        blobs = [settings.ollama_models / "blobs" / f"sha256-{blob}" for model in found for blob in model.blobs]
        say(f"fs-verity keeps {verity.seal_all(blobs)} of {len(blobs)} model files as they are.")
    problems = model_store.verify(settings.ollama_models, found, check)
    if problems and not allow_modified:
        raise ModifiedError(problems[0].sentence)
    for problem in problems:
        notice(problem.sentence)
    events = [ollama_event(version, program, libraries)]
    events += [model_event(model, problems) for model in found]
    return Prepared(
        ModelServer("ollama", models=tuple(names)), tuple(events), {model.name: model.digest for model in found}
    )


def load_offered(settings: Settings, name: str, offered: dict[str, str]) -> model_store.Model:
    """A model of the store that is the one Ollama serves under this name. Raises LauncherError."""
    if name not in offered:
        raise UnavailableError(
            f"Ollama at {settings.ollama_base_url} does not offer the model {name}; "
            f"it offers: {', '.join(offered) or 'none'}."
        )
    model = model_store.load(settings.ollama_models, name)
    if model.digest != offered[name]:
        raise UnavailableError(
            f"The model {name} in {settings.ollama_models} is not the one that Ollama at "
            f"{settings.ollama_base_url} serves: name the store that Ollama uses with OLLAMA_MODELS."
        )
    return model
