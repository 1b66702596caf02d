"""The order of a launch: check, measure, start, watch, stop."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .datadir import DataDir, boot_id
from .errors import Stopped
from .measure import interpreter, manifest, model_server, models, plugins, registers, tdx
from .measure.manifest import Difference, Manifest
from .measure.models import Prepared
from .measure.registers import Outcome
from .plan import effective, settings, webserver
from .plan.events import Event, account_event, release_events, settings_events
from .plan.webserver import ModelServer
from .serve import accounts, measured_models, services
from .serve.measurer import Measurer
from .serve.processes import Child, Supervisor, User
from .serve.services import Launch
from .summary import Summary, notice, say


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
            summary = _launch(launch, checked, allow_modified, environ, supervisor)
            summary.print(time.monotonic() - started)
            supervisor.watch()
        except Stopped:
            say("\nStopping.")
        finally:
            supervisor.stop()
            with suppress(OSError):  # it also says that a service runs
                measured_models.path(data).unlink()
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


@dataclass(frozen=True)
class Session:
    """One launch on its way: what was decided and found so far."""

    launch: Launch
    checked: Checked
    prepared: Prepared
    user: User | None
    environ: Mapping[str, str]
    supervisor: Supervisor

    @property
    def wait_s(self) -> float:
        return float(self.launch.settings.start_timeout_s)


def _launch(
    launch: Launch, checked: Checked, allow_modified: bool, environ: Mapping[str, str], supervisor: Supervisor
) -> Summary:
    user, account_notice = accounts.choose(
        launch.settings.run_as, launch.kind == "tdx", [Path(sys.executable), launch.release, launch.data.root]
    )
    if account_notice:
        notice(account_notice)
    prepared = _prepare_model(launch, checked, allow_modified, supervisor)
    session = Session(launch, checked, prepared, user, environ, supervisor)
    services.give_folders(launch.data, user)
    # These serve nobody yet; they get ready while the launch is being measured.
    web = _start_web(session)
    server = _start_model(session)
    pccs_url = _start_pccs(session)
    services.give_static_files(launch, user)
    events = all_events(launch, checked, prepared, user, environ)
    outcome = registers.extend(launch, events)
    if not outcome.measured:
        notice(f"This launch is UNMEASURED, and every client will see it: {outcome.problem}.")
    state = "modified" if checked.differences else "measured" if outcome.measured else "unmeasured"
    attester = _start_attester(session, outcome, events)
    served = server()
    web.tell(_late_environment(session, state, served, pccs_url()))
    supervisor.wait([attester, web], session.wait_s)
    return Summary(
        address=launch.settings.local_url,
        origin=launch.settings.origin,
        kind=launch.kind,
        launch=_describe_launch(state, outcome),
        model=_describe_model(served, launch.settings),
        account=user.name if user else accounts.current(),
        data=str(launch.data.root),
    )


def _prepare_model(launch: Launch, checked: Checked, allow_modified: bool, supervisor: Supervisor) -> Prepared:
    kind = model_server.choose(launch.settings, launch.kind)
    if kind == "ollama":
        return models.with_ollama(launch.settings, allow_modified, supervisor.check, seal=launch.kind == "tdx")
    if kind == "embedded":
        return models.embedded(launch.release, checked.manifest)
    return Prepared(ModelServer("none"))


def all_events(
    launch: Launch, checked: Checked, prepared: Prepared, user: User | None, environ: Mapping[str, str]
) -> list[Event]:
    """What this launch puts into RTMR 3, in order (docs/design.md, "Event log")."""
    configuration = webserver.configure(launch.release, launch.settings, launch.data, prepared.server, environ)
    env = effective.pin(configuration.env)
    found = release_events(checked.manifest.digest, checked.differences)
    found.append(Event("python", interpreter.measure()))
    found += settings_events(env, configuration.theirs, prepared.server, launch.settings)
    found += prepared.events
    found += plugins.events(database(launch.data, env))
    if launch.kind == "tdx" and user is None:
        found.append(account_event("root" if os.geteuid() == 0 else "the launcher's"))
    return found


def database(data: DataDir, env: Mapping[str, str]) -> Path:
    """Open WebUI's SQLite file; one that does not exist where it uses another database."""
    url = env.get("DATABASE_URL", "")
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    return data.webui / ("webui.db" if not url else ".no-sqlite-database")


def _start_model(session: Session) -> Callable[[], ModelServer]:
    """Start the model server if it is ours; what is returned waits for it and says where it listens."""
    if session.prepared.server.kind != "embedded":
        return lambda: session.prepared.server
    spec, found = services.embedded_model(session.launch, session.user)
    child = session.supervisor.start(spec)

    def ready() -> ModelServer:
        session.supervisor.wait([child], session.wait_s)
        return found()

    return ready


def _start_pccs(session: Session) -> Callable[[], str]:
    """Start the PCCS's stand-in if quotes are simulated; what is returned waits for it and gives the URL to use."""
    chosen = session.launch.settings.pccs_url
    if session.launch.kind != "tdx-simulated" or chosen:
        return lambda: chosen
    spec, file = services.pccs(session.launch, session.user)
    child = session.supervisor.start(spec)

    def ready() -> str:
        session.supervisor.wait([child], session.wait_s)
        return file.read_text().strip()

    return ready


def _start_web(session: Session) -> Child:
    """Start the web server's process, which waits to be told what only the running launch knows."""
    env = web_environment(session.launch, session.prepared.server, session.environ)
    return session.supervisor.start(services.web_server(session.launch, env, session.user))


def _late_environment(session: Session, state: str, server: ModelServer, pccs_url: str) -> bytes:
    """What the web server is told: what only the running launch knows, the addresses of its model server above all."""
    launch = session.launch
    env = web_environment(launch, server, session.environ)
    env |= {"TEE_LAUNCH": state, "TEE_PCCS_URL": pccs_url, "TEE_MEASURER_SOCKET": str(_measurer_socket(launch))}
    measured_models.path(launch.data).unlink(missing_ok=True)
    if session.prepared.allowed is not None:
        measured_models.write(launch.data, session.prepared.allowed)
        env["TEE_MEASURED_MODELS"] = str(measured_models.path(launch.data))
    return json.dumps(env).encode() + b"\n"


def _start_attester(session: Session, outcome: Outcome, events: list[Event]) -> Child:
    """Start the attester, and the socket for late measurements."""
    launch, user = session.launch, session.user
    known = {event.line for event in events}
    uid = user.uid if user else os.geteuid()
    Measurer(_measurer_socket(launch), uid, lambda event: _measure_late(launch, outcome, event), known).start()
    return session.supervisor.start(services.attester(launch, session.checked.manifest.digest, user))


def _measurer_socket(launch: Launch) -> Path:
    return launch.sockets / "measurer.sock"


def _measure_late(launch: Launch, outcome: Outcome, event: Event) -> None:
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
