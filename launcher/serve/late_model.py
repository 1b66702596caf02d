"""`measure-model NAME`: add a model while the service runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..datadir import DataDir, boot_id
from ..errors import ModifiedError, UnavailableError
from ..measure import interpreter, model_store, models, ollama, registers, tdx
from ..plan import environment, processes, settings
from ..plan.events import model_event
from ..plan.launch import Launch
from ..summary import say
from . import measured_models, ways_out


def measure_model(release: Path, environ: Mapping[str, str], name: str) -> int:
    """Verify the model's blobs, put it into RTMR 3, and only then allow chats with it. Raises LauncherError."""
    chosen = settings.load(environ)
    data = DataDir(chosen.data_dir, boot_id())
    name = model_store.canonical(name)
    if not data.measured_models.exists():
        raise UnavailableError(
            f"No service with Ollama on this machine is running on {data.root}: name its folder with DATA_DIR."
        )
    with ways_out.of_running(data) as inside:
        url = chosen.ollama_base_url
        offered = inside.inside(lambda: ollama.models(url)) if inside else ollama.models(url)
    model = models.load_offered(chosen, name, offered)
    problems = model_store.verify(chosen.ollama_models, [model])
    if problems:
        raise ModifiedError(problems[0].sentence)
    kind = tdx.choose(chosen.tdx, tdx.look(environment.base(environ)), release / "simulator")
    launch = Launch(release, chosen, data, kind, environ, interpreter.executable(), os.getpid())
    outcome = registers.extend(processes.registrar(launch), [model_event(model.name, model.digest)], keep=True)
    measured_models.write(data, measured_models.read(data) | {model.name: model.digest})
    where = f"measured (RTMR 3 is {outcome.rtmr3[:16]}...)" if outcome.measured else "allowed, but not measured"
    say(f"{model.name} is {where} and can be chatted with.")
    return 0
