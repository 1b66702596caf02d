"""The processes of a launch: how each is started, with what environment, and by what it is seen to be ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import environment
from .egress import Egress
from .launch import Launch
from .model import ModelServer

VAULT = "vault"


@dataclass(frozen=True)
class User:
    """The account a process runs as; None in `Process.user` keeps the launcher's own."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Ready:
    """A process is ready once `file` exists, `socket` (a Unix one) accepts, or `url` answers with 200."""

    file: Path | None = None
    socket: Path | None = None
    url: str = ""


@dataclass(frozen=True)
class Process:
    """One process to start: what it is called, how, and how it is seen to be ready."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    ready: Ready
    user: User | None = None
    stop_s: float = 5.0
    told: bool = False  # waits on its standard input for what only the running launch knows
    fenced: bool = False  # runs inside the fence, or not at all


def attester(launch: Launch, release_digest: str, asking_uid: int) -> Process:
    """The one process that holds the device; `asking_uid` is the door's account."""
    path, settings = launch.attester_socket, launch.settings
    arguments = ["--socket", str(path), "--event-log", str(launch.data.event_log), "--allow-uid", str(asking_uid)]
    if release_digest:
        arguments += ["--release-digest", release_digest]
    if settings.origin:
        arguments += ["--origin", settings.origin]
    if settings.data_key == "trustee":
        arguments.append("--key-broker")
    command = launch.module("attester", "quote_generator.attester", *arguments)
    return Process("attester", command, launch.device_env(), launch.data.run, Ready(socket=path))


def registrar(launch: Launch) -> Process:
    """The process that extends RTMR 3 and ends: it gets events on its standard input."""
    command = launch.module("attester", "launcher.measure.registers", str(launch.data.event_log))
    return Process("registrar", command, launch.device_env(), launch.data.run, Ready(), told=True)


def ollama(launch: Launch, binary: Path, user: User | None, fenced: bool = False) -> Process:
    """An Ollama of the launcher's own, where none answers: with nothing from the operator's environment."""
    home, url = launch.data.ollama, launch.settings.ollama_base_url
    env = environment.base(launch.environ) | {
        "HOME": str(home),
        "OLLAMA_HOST": url.split("://", 1)[1],
        "OLLAMA_MODELS": str(launch.settings.ollama_models),
        "OLLAMA_NOPRUNE": "1",  # what it does not know in the store is not its to delete
    }
    command = launch.module("ollama", "launcher.serve.program", str(binary), "serve")
    return Process("ollama", command, env, home, Ready(url=f"{url}/api/version"), user, fenced=fenced)


def relay(launch: Launch, server: ModelServer) -> Process | None:
    """What passes words to the Ollama that was measured, and to no other; its ready file gets its address.

    The open files that it is given (where it listens, the network in which Ollama does) are named when it starts.
    """
    if server.ollama is None:
        return None
    ready = launch.data.run / "relay.json"  # not in DataDir.ready: the web server's account could write there
    config = json.dumps(
        {
            "url": launch.settings.ollama_base_url,
            "sha384": server.ollama.sha384,
            "libraries": server.ollama.libraries,
            "answering": server.ollama.answering,
            "models": str(launch.data.measured_models),
        }
    )
    command = launch.module("relay", "launcher.serve.relay", config, str(ready))
    return Process("relay", command, environment.base(launch.environ), launch.data.run, Ready(file=ready))


def broker(launch: Launch, egress: Egress, user: User | None) -> Process | None:
    """What connects those inside the fence to what the settings name; it listens on open files that it is given."""
    if not egress.fenced or not (egress.hosts or egress.forwards):
        return None
    command = launch.module("broker", "launcher.serve.broker", json.dumps(egress.hosts))
    return Process("broker", command, environment.base(launch.environ), launch.data.run, Ready(), user)


def vault(launch: Launch, program: Path, *arguments: str) -> Process:
    """The process that encrypts what is kept (gocryptfs); it gets the key on its standard input."""
    command = launch.module("vault", "launcher.serve.program", str(program), *arguments)
    return Process(VAULT, command, environment.base(launch.environ), launch.data.run, Ready(), told=True)


def code_reader(launch: Launch, database: Path, user: User | None) -> Process:
    """The process that reads administrators' Python out of the database, and ends."""
    command = launch.module("web", "launcher.measure.plugins", str(database))
    return Process("code reader", command, environment.base(launch.environ), Path("/"), Ready(), user)


def pccs(launch: Launch, user: User | None) -> Process | None:
    """The stand-in for Intel's collateral service, for simulated quotes; its ready file gets its URL."""
    if launch.kind != "tdx-simulated" or launch.settings.pccs_url:
        return None
    ready = launch.data.ready / "pccs.url"
    command = launch.module("pccs", "simulator", "pccs", "--port", "0", "--ready-file", str(ready))
    return Process(
        "simulated PCCS", command, environment.base(launch.environ), launch.data.run, Ready(file=ready), user
    )


def model(launch: Launch, server: ModelServer, user: User | None, fenced: bool = False) -> Process | None:
    """The embedded model's server; its ready file gets its addresses."""
    if server.kind != "embedded":
        return None
    ready = launch.data.ready / "llm.json"
    command = launch.module("llm", "launcher.serve.llm", str(server.weights), str(ready))
    env = environment.base(launch.environ) | {"LLM_API_KEY": server.key}
    return Process("model server", command, env, launch.data.run, Ready(file=ready), user, fenced=fenced)


def web_server(launch: Launch, env: Mapping[str, str], user: User | None, fenced: bool = False) -> Process:
    """Open WebUI itself, as an account without access to the device; it serves once it is told the rest of `env`."""
    command = launch.module("web", "launcher.serve.web", *uvicorn(launch.web_socket))
    ready = Ready(socket=launch.web_socket)
    return Process("web server", command, env, launch.data.webui, ready, user, stop_s=8.0, told=True, fenced=fenced)


def uvicorn(path: Path) -> list[str]:
    """uvicorn's arguments: only a Unix socket, whose other end is always the door, which says who asks."""
    return [
        "open_webui.main:app",
        "--uds",
        str(path),
        "--timeout-graceful-shutdown",
        "3",
        "--no-server-header",
        "--proxy-headers",
        "--forwarded-allow-ips",
        "*",
    ]


def door(launch: Launch, env: Mapping[str, str], user: User | None) -> Process:
    """The one process that listens to the network, with an account of its own; it serves once it is told to.

    The open files that it is given (listening sockets, what it keeps) are named when it starts.
    """
    settings = launch.settings
    config: dict[str, Any] = {
        "release": str(launch.release),
        "web_socket": str(launch.web_socket),
        "tls": settings.tls,
        "names": list(settings.names),
        "origin": settings.origin,
        "trusted": list(settings.forwarded_allow_ips),
        "channel": settings.channel,
    }
    if launch.data.encrypted:
        config["data"] = {"state": "encrypted", "owner": settings.data_owner}
    if settings.data_key == "trustee":
        config["trustee"] = {"url": settings.trustee_url, "resource": settings.trustee_resource}
    if settings.tls == "acme":
        config["acme"] = {"directory": settings.acme_directory, "contact": settings.acme_contact}
    command = launch.module("door", "door", json.dumps(config))
    ready = Ready(url=f"{settings.local_url}/health")
    return Process("door", command, env, launch.data.run, ready, user, stop_s=6.0, told=True)
