"""Decide what answers chats, and measure it: Ollama and its models, the embedded model, or nothing of ours."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..errors import ModifiedError, UnavailableError, reason
from ..plan import effective
from ..plan.events import embedded_events, model_event, ollama_event
from ..plan.launch import Launch
from ..plan.model import Measured, ModelServer, Prepared, model_name
from ..plan.settings import Settings
from ..summary import notice, say
from . import hashing, model_server, model_store, ollama, ollama_program, verity
from .manifest import Manifest


def prepare(
    launch: Launch,
    listed: Manifest,
    allow_modified: bool = False,
    check: Callable[[], None] = lambda: None,
    seal: bool = False,
    inside: bool = False,
    read: bool = True,
) -> Prepared:
    """Choose what answers chats and measure it; nothing is started. `check` may end it. Raises LauncherError.

    `inside`: the Ollama that answers was started inside the fence, and so is this thread. `read`: weights of the
    operator's own are held against what the settings say of them; reference values are made without the file.
    """
    kind = model_server.choose(launch.settings, launch.kind)
    if kind == "ollama":
        prepared = with_ollama(launch.settings, allow_modified, check, seal, must_see=launch.kind == "tdx")
        measured = prepared.server.ollama
        server = replace(prepared.server, ollama=replace(measured, inside=inside) if measured else None)
        return replace(prepared, server=server)
    if kind == "embedded":
        return embedded(launch.release, listed, launch.settings, read)
    return Prepared(ModelServer("none"))


def embedded(release: Path, manifest: Manifest, settings: Settings, read: bool = True) -> Prepared:
    """The embedded model: its engine, from the files that were just checked, and its weights, or the operator's own."""
    engine = next((path for path in manifest.files if path.startswith("site-packages/xllamacpp/xllamacpp.")), None)
    if engine is None:
        raise ModifiedError(f"The manifest of {release} lists no engine for an embedded model; use LLM=ollama.")
    if settings.embedded_model:
        weights, digest = Path(settings.embedded_model), settings.embedded_model_sha384
        if read:
            _compare(weights, digest)
    else:
        weights, digest = _own(release, manifest)
    name = model_name(weights)
    events = embedded_events(manifest.files[engine].sha384, name, digest)
    # Nobody else on the machine may use it; drawn here, so that every launch, and every list of events, has a key.
    key = "sk-" + secrets.token_urlsafe(24)
    return Prepared(ModelServer("embedded", key=key, weights=weights, models=(name,)), tuple(events))


def _own(release: Path, manifest: Manifest) -> tuple[Path, str]:
    """The release's weights and their SHA-384 (hex). Raises LauncherError."""
    found = next((path for path in sorted(manifest.files) if path.startswith("llm/") and path.endswith(".gguf")), None)
    if found is None:
        raise ModifiedError(f"The manifest of {release} lists no embedded model; use LLM=ollama.")
    if not (release / found).is_file():
        raise UnavailableError(f"This release has no embedded model: there is no {release / found}.")
    return release / found, manifest.files[found].sha384


def _compare(weights: Path, expected: str) -> None:
    """Hold a file of the operator's against what the settings say of it. Raises LauncherError."""
    try:
        handle = os.open(weights, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            states = [os.fstat(handle), *(folder.stat() for folder in weights.parents)]
            found = hashing.digest_handle(handle, "sha384").hex
        finally:
            os.close(handle)
    except OSError as error:
        raise UnavailableError(f"EMBEDDED_MODEL={weights} cannot be read: {reason(error)}.") from error
    if found != expected:
        raise ModifiedError(
            f"EMBEDDED_MODEL={weights} is not what EMBEDDED_MODEL_SHA384 says: its SHA-384 is {found}, expected "
            f"{expected}. Nothing is served; correct the one that is wrong."
        )
    if any(map(_others_write, states)):
        raise UnavailableError(
            f"EMBEDDED_MODEL={weights} could be exchanged by another account after it was measured: have it, and each "
            "folder on the way to it, belong to root and be writable by nobody else."
        )


def _others_write(state: os.stat_result) -> bool:
    """Whether an account beside root and this one can change a file, or exchange what lies in a folder."""
    open_to_others = state.st_mode & 0o022 and not state.st_mode & stat.S_ISVTX
    return bool(open_to_others) or state.st_uid not in (0, os.geteuid())


def with_ollama(
    settings: Settings,
    allow_modified: bool,
    check: Callable[[], None],
    seal: bool = False,
    must_see: bool = False,
) -> Prepared:
    """Ollama: its program, and every model it will serve, read from its store on the disk.

    `seal` switches fs-verity on for the models' blobs where the file system has it; `must_see` refuses an Ollama
    whose process this account cannot see.
    """
    url = settings.ollama_base_url
    offered = ollama.models(url)
    if not effective.is_local(url):
        notice(f"Ollama at {url} is another machine: chats leave this one, and its models cannot be measured.")
        return Prepared(ModelServer("ollama", models=tuple(offered)))
    version = ollama.version(url) or ""
    program, measured = _program(settings, check, must_see)
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
    events = [ollama_event(version, program.sha384, program.libraries)]
    for model in found:
        broken = [problem.sha256 for problem in problems if problem.model == model.name]
        events.append(model_event(model.name, model.digest, broken))
    server = ModelServer("ollama", models=tuple(names), ollama=measured)
    return Prepared(server, tuple(events), {model.name: model.digest for model in found})


def _program(
    settings: Settings, check: Callable[[], None], must_see: bool
) -> tuple[ollama_program.Program, Measured | None]:
    """What answers, measured; where this account cannot see it and need not, the one that is installed."""
    try:
        answering = ollama_program.find(settings.ollama_base_url)
    except UnavailableError as error:
        if must_see or os.geteuid() == 0:
            raise
        notice(f"{error} This being a simulation, the installed one is measured instead.")
        return ollama_program.measure(ollama_program.installed(settings.ollama_binary), check), None
    program = ollama_program.measure(answering.executable, check)
    named = settings.ollama_binary
    if named and ollama_program.measure(Path(named), check).sha384 != program.sha384:
        raise ModifiedError(
            f"OLLAMA_BINARY={named} is not the program that answers at {settings.ollama_base_url} "
            f"(process {answering.pid}): stop that one, or correct OLLAMA_BINARY."
        )
    process = (answering.pid, answering.device, answering.inode)
    return program, Measured(program.sha384, program.libraries, process)


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
