"""The order of a launch: check, measure, start, watch, stop."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from . import accounts, model_server, ollama, services, settings, tdx, webserver
from .datadir import DataDir, boot_id
from .errors import Stopped
from .processes import Supervisor
from .services import Launch
from .summary import Summary, notice, say
from .webserver import ModelServer


def run(release: Path, environ: Mapping[str, str], allow_modified: bool) -> int:
    """Launch and stay until somebody asks for the end (exit code 0). Raises LauncherError."""
    started = time.monotonic()
    chosen = settings.load(environ)
    data = DataDir(chosen.data_dir, boot_id())
    with data.locked():
        data.prepare()
        services.check_port(chosen)
        supervisor = Supervisor(data.logs)
        supervisor.catch_signals()
        launch = _prepare(release, chosen, data)
        try:
            _start(launch, supervisor, environ, started)
            supervisor.watch()
        except Stopped:
            say("\nStopping.")
        finally:
            supervisor.stop()
            with suppress(OSError):
                shutil.rmtree(launch.sockets)
    return 0


def _prepare(release: Path, chosen: settings.Settings, data: DataDir) -> Launch:
    kind = tdx.choose(chosen.tdx, tdx.look(), release / "simulator")
    if kind == "tdx-simulated":
        notice("TDX is SIMULATED on this machine. Everything works, and nothing is protected.")
    return Launch(release, chosen, data, kind, services.socket_folder(data))


def _start(launch: Launch, supervisor: Supervisor, environ: Mapping[str, str], started: float) -> None:
    chosen, data = launch.settings, launch.data
    user, account_notice = accounts.choose(
        chosen.run_as, launch.kind == "tdx", [Path(sys.executable), launch.release, data.root]
    )
    if account_notice:
        notice(account_notice)
    wait = float(chosen.start_timeout_s)
    server = _model(launch, supervisor, wait)
    env = _web_environment(launch, server, environ)
    if launch.kind == "tdx-simulated":
        data.simulator_state.mkdir(parents=True, exist_ok=True)
        spec, ready = services.pccs(launch)
        supervisor.start(spec, wait)
        if not chosen.pccs_url:
            env["TEE_PCCS_URL"] = str(services.read_ready(ready)["url"])
    supervisor.start(services.attester(launch, "", user), wait)
    env["TEE_ATTESTER_SOCKET"] = str(launch.sockets / "attester.sock")
    supervisor.start(services.web_server(launch, env, user), wait)
    Summary(
        address=chosen.local_url, origin=chosen.origin, kind=launch.kind, launch="unmeasured",
        model=_describe(server, chosen), account=user.name if user else accounts.current(), data=str(data.root),
        seconds=time.monotonic() - started,
    ).print()


def _model(launch: Launch, supervisor: Supervisor, wait: float) -> ModelServer:
    kind = model_server.choose(launch.settings, launch.kind)
    if kind == "ollama":
        return ModelServer("ollama", models=tuple(ollama.models(launch.settings.ollama_base_url)))
    if kind == "embedded":
        spec, found = services.embedded_model(launch)
        supervisor.start(spec, wait)
        return found()
    return ModelServer("none")


def _web_environment(launch: Launch, server: ModelServer, environ: Mapping[str, str]) -> dict[str, str]:
    return webserver.environment(launch.release, launch.settings, launch.data, server, environ) | launch.machine_env() | {
        "HOME": str(launch.data.webui / "home"),
        "WEBUI_SECRET_KEY": launch.data.secret_key(),
        "TEE_KIND": launch.kind,
        "TEE_LAUNCH": "unmeasured",
    }


def _describe(server: ModelServer, chosen: settings.Settings) -> str:
    if server.kind == "ollama":
        names = ", ".join(server.models) or "no models yet: ollama pull one"
        return f"Ollama at {chosen.ollama_base_url} ({names})"
    if server.kind == "embedded":
        return f"{server.default_model}, embedded (small: to try it out)"
    return "none (LLM=none)"
