"""What a launch of this release will measure, computed without launching: for reference values.

The build calls this for the default settings; `make reference` on a trusted machine for the operator's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..datadir import DataDir
from ..plan import plan, settings
from ..plan.events import Event
from ..plan.launch import Launch
from . import found, manifest, models
from .manifest import Checked


def events(release: Path, environ: Mapping[str, str], check: bool) -> tuple[Event, ...]:
    """The events of a first launch with these settings. `LLM=auto` means the embedded model, unless Ollama answers.

    `check` compares the files with the manifest first; the build just wrote both. Raises LauncherError.
    """
    listed = manifest.load(release)
    if check:
        manifest.refuse(manifest.differences(release, listed))
    # The data folder's path is in no event, and a first launch has no database.
    nowhere = DataDir(Path("/nonexistent"), "no-boot")
    launch = Launch(release, settings.load(environ), nowhere, "tdx-simulated", environ)
    prepared = models.prepare(launch, listed)
    return plan.make(launch, found.find(launch, Checked(listed, []), prepared, None, "")).events
