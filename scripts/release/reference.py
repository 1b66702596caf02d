"""Reference values: what a verifier must see in the event log and in RTMR 3, computed by the release itself.

The launcher's own code lists the events, in the release and through its entry, so that the build and a launch agree
byte for byte. They are never taken from a server that is being judged.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.building.files import write_durably
from scripts.config import Config
from scripts.errors import CommandError, MissingError

PLATFORM = ("mr_td", "rtmr_0", "rtmr_1", "rtmr_2", "xfam", "td_attributes", "mr_seam")
_QUOTE = """
import json, sys
release = sys.argv[1]
sys.path += [release, release + "/site-packages"]
import quote_generator
from quote_generator.formats import parse_quote
print(json.dumps(parse_quote(quote_generator.generate_quote(bytes(64))).fields()))
"""


def write_default(cfg: Config, out: Path) -> None:
    """For a launch with the default settings, which on any machine are those of the embedded model."""
    settings = {"LLM": "embedded", "DATA_DIR": "/nonexistent"}
    _write(cfg, out, f"{cfg.release_name}, default settings, embedded model", events(cfg, settings), [])


def write_here(cfg: Config, out: Path, environment: Mapping[str, str] = os.environ) -> None:
    """For a launch with this machine's settings, Ollama and models, on this machine's platform: it must be trusted."""
    settings = {**environment, "DATA_DIR": str(cfg.var)}
    _write(cfg, out, f"{cfg.release_name} on {os.uname().nodename}", events(cfg, settings), [platform(cfg, settings)])


def events(cfg: Config, settings: Mapping[str, str]) -> list[dict[str, str]]:
    """What the release's launcher answers: objects with `event` (an exact AAEL line), the last one with `rtmr_3`."""
    environment = {**settings, "PATH": os.environ["PATH"], "PYTHON": str(cfg.python)}
    answer = _run(cfg, [str(cfg.release / "open-webui-tdx"), "events"], environment)
    return [json.loads(line) for line in answer.splitlines()]


def platform(cfg: Config, settings: Mapping[str, str]) -> dict[str, str]:
    """The launch measurements that this platform's quote holds, lower-case hex."""
    from launcher.datadir import DataDir, boot_id
    from launcher.errors import LauncherError
    from launcher.measure import tdx

    environment = {name: value for name, value in settings.items() if name in ("LD_LIBRARY_PATH", "PATH")}
    try:
        kind = tdx.choose(settings.get("TDX") or "auto", tdx.look(settings), cfg.release / "simulator")
    except LauncherError as error:
        raise MissingError(str(error)) from None
    if kind == "tdx-simulated":
        state = DataDir(cfg.var, boot_id()).simulator_state
        state.mkdir(parents=True, exist_ok=True)
        environment |= {"LD_LIBRARY_PATH": str(cfg.release / "simulator"), "TDX_SIM_STATE": str(state)}
        print("TDX is SIMULATED on this machine: these reference values describe no real platform.")
    fields = json.loads(_run(cfg, [str(cfg.python), "-I", "-S", "-B", "-c", _QUOTE, str(cfg.release)], environment))
    return measurements(fields)


def measurements(fields: Mapping[str, str]) -> dict[str, str]:
    """Of the body of a quote (field names to lower-case hex) what reference values hold of a platform.

    A service TD, where one is bound to the TD, as on Alibaba Cloud: whoever trusts these reference values trusts it.
    """
    bound = fields.get("mr_service_td", "")
    named = {"mr_service_td": bound} if bound.strip("0") else {}
    # A stock system: whoever administers it could change the programs, and none of these values would show it.
    return {name: fields[name] for name in PLATFORM} | named | {"root": "unmeasured"}


def _write(cfg: Config, out: Path, name: str, answers: list[dict[str, str]], platforms: list[dict[str, str]]) -> None:
    document: dict[str, Any] = {
        "v": 2,
        "name": name,
        "events": [answer["event"] for answer in answers if "event" in answer],
        "rtmr_3": answers[-1]["rtmr_3"],
        "platforms": platforms,
    }
    write_durably(out, (json.dumps(document, indent=1) + "\n").encode())


def _run(cfg: Config, command: list[str], environment: Mapping[str, str]) -> str:
    if not (cfg.release / "release.json").is_file():
        raise MissingError(f"There is no release in {cfg.release}; run `make build` first.")
    done = subprocess.run(command, env=dict(environment), cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(
            f"{Path(command[0]).name} could not say what this release measures: {done.stderr.strip()[-2000:]}"
        )
    return done.stdout
