"""Reference values: what a verifier must see in the event log and in RTMR 3, computed by the release itself.

The launcher's own code lists the events, in the release and through its entry, so that the build and a launch agree
byte for byte. They are never taken from a server that is being judged.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launcher.measure import encryption, tdx
from launcher.plan.events import encryption_event
from scripts.building.files import write_durably
from scripts.config import Config
from scripts.errors import CommandError, MissingError
from scripts.image import measured_boot, prediction

BUILDS = "quote_verifier/src/quote_verifier/data/programs.json"
ENCRYPTING = (encryption.NAME, encryption.CRYPTSETUP)


def write_default(cfg: Config, out: Path) -> None:
    """For a launch with the default settings, which on any machine are those of the embedded model."""
    settings = {"LLM": "embedded", "DATA_DIR": "/nonexistent"}
    # whether the encrypted channel is required depends on whether other machines reach the service
    answers, reached = (events(cfg, settings | {"HOST": host}) for host in ("127.0.0.1", "0.0.0.0"))  # noqa: S104
    lines = [answer["event"] for answer in (*answers, *reached) if "event" in answer]
    document = {
        "v": 2,
        "name": f"{cfg.release_name}, default settings, embedded model",
        "events": list(dict.fromkeys([*lines, *encrypting(cfg)])),
        "rtmr_3": answers[-1]["rtmr_3"],
        "platforms": [],
    }
    _write(out, document | {"release": about(cfg)})


def encrypting(cfg: Config) -> list[str]:
    """The events of the programs that may encrypt what is kept: builds that are known to be good."""
    known = json.loads((cfg.root / BUILDS).read_text(encoding="utf-8"))
    return [encryption_event(name, build["version"], build["sha384"]).line for name in known for build in known[name]]


def write_here(cfg: Config, out: Path, environment: Mapping[str, str] = os.environ) -> None:
    """For a launch with this machine's settings, Ollama and models, on this machine's platform: it must be trusted."""
    settings = {**environment, "DATA_DIR": str(cfg.var), "PYTHON": str(cfg.python)}
    document = json.loads(_run(cfg, [str(cfg.release / "open-webui-tdx"), "reference", "--boot-log"], settings))
    name_events(document, document.pop("boot_log"))
    say_unknown(cfg, document["events"])
    if settings.get("TDX") == "simulated" or not tdx.look({}).real:
        print("TDX is SIMULATED on this machine: these reference values describe no real platform.")
    _write(out, document | {"release": about(cfg)})


def say_unknown(cfg: Config, events: Sequence[str]) -> None:
    """Say where this machine's program that encrypts is none that is known: these values accept it all the same."""
    known = encrypting(cfg)
    for line in events:
        if line.split(" ")[1] in ENCRYPTING and line not in known:
            print(f"Not one of the builds in {BUILDS}, and accepted as this machine has it: {line}")


def name_events(document: Mapping[str, Any], boot_log: str | None) -> None:
    """Say in its platforms which events extend RTMR 0 to 2, as far as this machine's boot log leads there."""
    if boot_log is None:
        print("No boot event log can be read here (root can): verifiers will not name what differs in RTMR 0 to 2.")
    for platform in document["platforms"]:
        told = measured_boot.events(platform, boot_log)
        if told:
            platform["boot_events"] = {name: prediction.listed(found) for name, found in told.items()}


def events(cfg: Config, settings: Mapping[str, str]) -> list[dict[str, str]]:
    """What the release's launcher answers: objects with `event` (an exact AAEL line), the last one with `rtmr_3`."""
    environment = {**settings, "PATH": os.environ["PATH"], "PYTHON": str(cfg.python)}
    answer = _run(cfg, [str(cfg.release / "open-webui-tdx"), "events", "--as-root"], environment)
    return [json.loads(line) for line in answer.splitlines()]


def about(cfg: Config) -> dict[str, str]:
    """What the release was built from, for people: its version, our commit where all of it is committed, upstream."""
    found = {"version": cfg.release_name, "upstream": f"Open WebUI {cfg.pins['source'].version}"}
    git = ["git", "-C", str(cfg.root)]
    clean = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if clean.returncode == head.returncode == 0 and not clean.stdout:
        found["commit"] = head.stdout.strip()
    return found


def _write(out: Path, document: Mapping[str, Any]) -> None:
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
