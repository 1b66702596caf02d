"""What a launch of this release will measure, computed without launching: for reference values.

The build calls this for the default settings; `make reference` on a trusted machine for the operator's own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..datadir import DataDir, boot_id
from ..errors import TdxError, writing
from ..plan import environment, events, plan, settings
from ..plan.events import Event
from ..plan.launch import Launch
from . import found, interpreter, manifest, models, tdx
from .found import Accounts
from .manifest import Checked

PLATFORM = ("mr_td", "rtmr_0", "rtmr_1", "rtmr_2", "xfam", "td_attributes", "mr_seam")
_QUOTE = """
import json, sys
release = sys.argv[1]
sys.path += [release, release + "/site-packages"]
import quote_generator
from quote_generator import boot_log
from quote_generator.formats import parse_quote
fields = parse_quote(quote_generator.generate_quote(bytes(64))).fields()
print(json.dumps([fields, boot_log.find(sys.argv[2] == "tdx-simulated")]))
"""


def launch_events(release: Path, environ: Mapping[str, str], check: bool, no_fence: str = "") -> tuple[Event, ...]:
    """The events of a first launch with these settings. `LLM=auto` means the embedded model, unless Ollama answers.

    `check` compares the files with the manifest first, and weights of the operator's own with the settings; the build
    just wrote the release, and need not have the weights. `no_fence`: why a launch here has
    no fence; "" for one by root, as it should be. Raises LauncherError.
    """
    listed = manifest.load(release)
    if check:
        manifest.refuse(manifest.differences(release, listed))
    # The data folder's path is in no event, and a first launch has no database.
    nowhere = DataDir(Path("/nonexistent"), "no-boot")
    launch = Launch(release, settings.load(environ), nowhere, "tdx-simulated", environ)
    prepared = models.prepare(launch, listed, read=check)
    return plan.make(launch, found.find(launch, Checked(listed, []), prepared, Accounts(), "", no_fence)).events


def document(release: Path, environ: Mapping[str, str], with_boot_log: bool = False) -> dict[str, Any]:
    """Reference values of a launch with these settings, on the platform that answers here: it must be trusted.

    `with_boot_log` adds a member `boot_log` (base64url, or None where there is none), which `make reference` replaces:
    reference values say which events extend a register, in the verifiers' words.
    """
    measured = launch_events(release, environ, check=True)
    fields, boot_log = look(release, environ)
    return {
        "v": 2,
        "name": f"{release.resolve().name} on {os.uname().nodename}",
        "events": [event.line for event in measured],
        "rtmr_3": events.rtmr3(measured),
        "platforms": [measurements(fields)],
        **({"boot_log": boot_log} if with_boot_log else {}),
    }


def look(release: Path, environ: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """A quote of this platform, its body by name (lower-case hex), and its boot event log (base64url; None: there is
    none, or not for this user). Raises LauncherError.
    """
    chosen = settings.load(environ)
    kind = tdx.choose(chosen.tdx, tdx.look(environment.base(environ)), release / "simulator")
    data = DataDir(chosen.data_dir, boot_id())
    if kind == "tdx-simulated":
        with writing("the simulated TD", data.simulator_state):
            data.simulator_state.mkdir(parents=True, exist_ok=True)
    env = Launch(release, chosen, data, kind, environ).device_env()
    command = [interpreter.executable(), "-I", "-S", "-B", "-c", _QUOTE, str(release), kind]
    done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise TdxError(f"No quote could be made here: {done.stderr.strip()[-2000:]}")
    fields, boot_log = json.loads(done.stdout)
    return fields, boot_log


def measurements(fields: Mapping[str, str]) -> dict[str, str]:
    """Of the body of a quote (field names to lower-case hex) what reference values hold of a platform.

    A service TD, where one is bound to the TD, as on Alibaba Cloud: whoever trusts these reference values trusts it.
    """
    bound = fields.get("mr_service_td", "")
    named = {"mr_service_td": bound} if bound.strip("0") else {}
    # A stock system: whoever administers it could change the programs, and none of these values would show it.
    return {name: fields[name] for name in PLATFORM} | named | {"root": "unmeasured"}
