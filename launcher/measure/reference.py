"""What a launch of this release will measure, computed without launching: for reference values.

The build calls this for the default settings; ``make reference`` on a trusted machine for the operator's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..datadir import DataDir
from ..plan import settings
from ..plan.events import Event
from ..plan.webserver import ModelServer
from ..run import Checked, all_events
from ..serve.services import Launch
from . import manifest, model_server, models
from .models import Prepared


def events(release: Path, environ: Mapping[str, str], check: bool) -> list[Event]:
    """The events of a first launch with these settings. ``LLM=auto`` means the embedded model, unless Ollama answers.

    ``check`` compares the files with the manifest first; the build just wrote both. Raises LauncherError.
    """
    chosen = settings.load(environ)
    listed = manifest.load(release)
    if check:
        manifest.refuse(manifest.differences(release, listed))
    # The data folder's path is in no event, and a first launch has no database.
    data = DataDir(chosen.data_dir, "no-boot")
    launch = Launch(release, chosen, replace(data, root=Path("/nonexistent")), "tdx-simulated")
    return all_events(launch, Checked(listed, []), _prepared(launch, listed), None, environ)


def _prepared(launch: Launch, listed: manifest.Manifest) -> Prepared:
    kind = model_server.choose(launch.settings, launch.kind)
    if kind == "ollama":
        return models.with_ollama(launch.settings, False, lambda: None)
    if kind == "embedded":
        return models.embedded(launch.release, listed)
    return Prepared(ModelServer("none"))
