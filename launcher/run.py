"""The order of a launch: check, measure, start, watch, stop."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import (
    accounts,
    effective,
    interpreter,
    manifest,
    measure,
    measured_models,
    model_server,
    models,
    plugins,
    registers,
    services,
    settings,
    tdx,
    webserver,
)
from .datadir import DataDir, boot_id
from .errors import Stopped
from .manifest import Difference, Manifest
from .measurer import Measurer
from .models import Prepared
from .processes import Supervisor, User
from .registers import Outcome
from .services import Launch
from .summary import Summary, notice, say
from .webserver import ModelServer


@dataclass(frozen=True)
class Checked:
    """A release whose files were compared with its manifest."""

    manifest: Manifest
    differences: list[Difference]


def run(release: Path, environ: Mapping[str, str], allow_modified: bool) -> int:
    """Launch and stay until somebody asks for the end (exit code 0). Raises LauncherError."""
    started = time.monotonic()
    chosen = settings.load(environ)
    data = DataDir(chosen.data_dir, boot_id())
    with data.locked():
        data.prepare()
        services.check_port(chosen)
        for name in webserver.ignored(environ):
            notice(f"{name} has no effect here.")
        supervisor = Supervisor(data.logs)
        supervisor.catch_signals()
        sockets = services.socket_folder(data)
        try:
            checked = check_release(release, allow_modified, supervisor)
            launch = Launch(release, chosen, data, _kind(chosen, release), sockets)
            _launch(launch, checked, allow_modified, environ, supervisor, started)
            supervisor.watch()
        except Stopped:
            say("\nStopping.")
        finally:
            supervisor.stop()
            with suppress(OSError):
                shutil.rmtree(sockets)
    return 0


def check_release(release: Path, allow_modified: bool, supervisor: Supervisor) -> Checked:
    """Compare every file with the manifest. Raises ModifiedError unless that is allowed."""
    listed = manifest.load(release)
    differences = manifest.differences(release, listed, supervisor.check)
    if not allow_modified:
        manifest.refuse(differences)
    if differences:
        notice(
            f"This release is MODIFIED in {len(differences)} files, first {differences[0].path}; "
            "every client will see it."
        )
    return Checked(listed, differences)


def _kind(chosen: settings.Settings, release: Path) -> str:
    kind = tdx.choose(chosen.tdx, tdx.look(), release / "simulator")
    if kind == "tdx-simulated":
        notice("TDX is SIMULATED on this machine. Everything works, and nothing is protected.")
    return kind


def _launch(
    launch: Launch,
    checked: Checked,
    allow_modified: bool,
    environ: Mapping[str, str],
    supervisor: Supervisor,
    started: float,
) -> None:
    user, account_notice = accounts.choose(
        launch.settings.run_as, launch.kind == "tdx", [Path(sys.executable), launch.release, launch.data.root]
    )
    if account_notice:
        notice(account_notice)
    prepared = _prepare_model(launch, checked, allow_modified, supervisor)
    events = all_events(launch, checked, prepared, user, environ)
    outcome = registers.extend(launch, events)
    if not outcome.measured:
        notice(f"This launch is UNMEASURED, and every client will see it: {outcome.problem}.")
    state = "modified" if checked.differences else "measured" if outcome.measured else "unmeasured"
    server = _start(launch, checked, prepared, user, environ, supervisor, state, outcome, events)
    Summary(
        address=launch.settings.local_url,
        origin=launch.settings.origin,
        kind=launch.kind,
        launch=_describe_launch(state, outcome),
        model=_describe_model(server, launch.settings),
        account=user.name if user else accounts.current(),
        data=str(launch.data.root),
        seconds=time.monotonic() - started,
    ).print()


def _prepare_model(launch: Launch, checked: Checked, allow_modified: bool, supervisor: Supervisor) -> Prepared:
    kind = model_server.choose(launch.settings, launch.kind)
    if kind == "ollama":
        return models.with_ollama(launch.settings, allow_modified, supervisor.check)
    if kind == "embedded":
        return models.embedded(launch.release, checked.manifest)
    return Prepared(ModelServer("none"))


def all_events(
    launch: Launch, checked: Checked, prepared: Prepared, user: User | None, environ: Mapping[str, str]
) -> list[measure.Event]:
    """What this launch puts into RTMR 3, in order (docs/design.md, "Event log")."""
    configuration = webserver.configure(launch.release, launch.settings, launch.data, prepared.server, environ)
    env = effective.pin(configuration.env)
    found = measure.release_events(checked.manifest.digest, checked.differences)
    found.append(measure.Event("python", interpreter.measure()))
    found += measure.settings_events(env, configuration.theirs, prepared.server, launch.settings)
    found += prepared.events
    found += plugins.events(database(launch.data, env))
    if launch.kind == "tdx" and user is None:
        found.append(measure.account_event("root" if os.geteuid() == 0 else "the launcher's"))
    return found


def database(data: DataDir, env: Mapping[str, str]) -> Path:
    """Open WebUI's SQLite file; one that does not exist where it uses another database."""
    url = env.get("DATABASE_URL", "")
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    return data.webui / ("webui.db" if not url else ".no-sqlite-database")


def _start(
    launch: Launch,
    checked: Checked,
    prepared: Prepared,
    user: User | None,
    environ: Mapping[str, str],
    supervisor: Supervisor,
    state: str,
    outcome: Outcome,
    events: list[measure.Event],
) -> ModelServer:
    wait = float(launch.settings.start_timeout_s)
    server = prepared.server
    if server.kind == "embedded":
        spec, found = services.embedded_model(launch)
        supervisor.start(spec, wait)
        server = found()
    pccs_url = launch.settings.pccs_url
    if launch.kind == "tdx-simulated":
        launch.data.simulator_state.mkdir(parents=True, exist_ok=True)
        spec, ready = services.pccs(launch)
        supervisor.start(spec, wait)
        pccs_url = pccs_url or ready.read_text().strip()
    supervisor.start(services.attester(launch, checked.manifest.digest, user), wait)
    known = {event.line for event in events}
    uid = user.uid if user else os.geteuid()
    socket = launch.sockets / "measurer.sock"
    Measurer(socket, uid, lambda event: _measure_late(launch, outcome, event), known).start()
    env = web_environment(launch, server, environ) | {
        "TEE_LAUNCH": state,
        "TEE_PCCS_URL": pccs_url,
        "TEE_MEASURER_SOCKET": str(socket),
    }
    measured_models.path(launch.data).unlink(missing_ok=True)
    if prepared.allowed is not None:
        measured_models.write(launch.data, prepared.allowed)
        env["TEE_MEASURED_MODELS"] = str(measured_models.path(launch.data))
    supervisor.start(services.web_server(launch, env, user), wait)
    return server


def _measure_late(launch: Launch, outcome: Outcome, event: measure.Event) -> None:
    if outcome.measured:
        registers.extend(launch, [event])
    notice(f"{event.operation} {event.content['id']} runs administrators' Python: clients see it in the event log.")


def web_environment(launch: Launch, server: ModelServer, environ: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the web server, except what only the running launch knows."""
    configuration = webserver.configure(launch.release, launch.settings, launch.data, server, environ)
    return (
        launch.machine_env()
        | effective.pin(configuration.env)
        | {
            "TEE_LOCKED_SETTINGS": ",".join(effective.locked(configuration.theirs)),
            "TEE_ATTESTER_SOCKET": str(launch.sockets / "attester.sock"),
            "TEE_KIND": launch.kind,
            "WEBUI_SECRET_KEY": launch.data.secret_key(),
        }
    )


def _describe_launch(state: str, outcome: Outcome) -> str:
    if not outcome.measured:
        return f"{state}, not in any register"
    added = f"{outcome.added} new events" if outcome.added else "nothing new since the last launch of this boot"
    return f"{state}; RTMR 3 is {outcome.rtmr3[:16]}... ({added})"


def _describe_model(server: ModelServer, chosen: settings.Settings) -> str:
    if server.kind == "ollama":
        names = ", ".join(server.models) or "no models yet: ollama pull one, then measure-model"
        return f"Ollama at {chosen.ollama_base_url} ({names})"
    if server.kind == "embedded":
        return f"{server.default_model}, embedded (small: to try it out)"
    return "none (LLM=none)"
