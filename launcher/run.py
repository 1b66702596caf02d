"""The order of a launch: check, measure, plan, start, watch, stop."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .datadir import DataDir, boot_id
from .errors import SettingError, Stopped
from .measure import found, interpreter, manifest, models, registers, spills, tdx
from .measure.found import Accounts
from .measure.manifest import Checked
from .measure.registers import Outcome
from .plan import environment, plan, settings, webserver
from .plan.events import Event
from .plan.launch import Launch
from .plan.model import ModelServer, Prepared
from .plan.plan import Plan
from .plan.processes import Process
from .serve import accounts, door, folders, locked_data, measured_models, ready, starting, ways_out
from .serve.certificate import Certificate
from .serve.measurer import Measurer
from .serve.supervisor import Child, Supervisor
from .summary import Summary, notice, say


def run(release: Path, environ: Mapping[str, str], allow_modified: bool, take_over: bool = False) -> int:
    """Launch and stay until somebody asks for the end (exit code 0), or until plain data was taken over into the
    encrypted folder, where that is asked for. Raises LauncherError."""
    started = time.monotonic()
    chosen = settings.load(environ)
    if chosen.tdx == "real":  # first: nobody should wait for the answer that this machine has none
        _kind(chosen, release, environ)
    if take_over and chosen.data_key == "none":
        raise SettingError("encrypt-data needs the settings with which the service is to run: DATA_KEY and DATA_OWNER.")
    data = DataDir(chosen.data_dir, boot_id(), chosen.data_key != "none", take_over, chosen.data_volume)
    with data.locked(), locked_data.left_closed(data):
        data.prepare()
        door.say_what_others_may_read(chosen)
        for name in webserver.ignored(environ):
            notice(f"{name} has no effect here.")
        supervisor = Supervisor(data.logs)
        supervisor.catch_signals()
        with door.opened(chosen, data) as opened:
            sockets = folders.socket_folder(data)
            try:
                supervisor.notifier.status("Comparing every file of the release with its manifest")
                checked = check_release(release, allow_modified, supervisor)
                data = replace(data, release=checked.manifest.digest)
                kind, pid = _kind(chosen, release, environ), os.getpid()
                python, compiled = interpreter.executable(), interpreter.given_bytecode()
                launch = Launch(release, chosen, data, kind, environ, python, pid, sockets, compiled)
                supervisor.fence, no_fence = ways_out.build(launch)
                _keep_to_memory(launch, supervisor.fence is not None)
                supervisor.notifier.status("Measuring what answers chats")
                planned = _plan(launch, checked, allow_modified, supervisor, no_fence)
                supervisor.notifier.status("Measuring the launch and starting its processes")
                summary = _Running(planned, supervisor, opened).start(bool(checked.differences))
                summary.print(time.monotonic() - started)
                supervisor.notifier.ready(summary.line)
                certificate = Certificate(chosen, opened.talk, data.certificate_state, supervisor.notifier)
                supervisor.watch(certificate.tend, locked_data.tending(launch, supervisor, opened.keep))
            except Stopped:
                say("\nStopping.")
                supervisor.notifier.stopping()
            finally:
                supervisor.stop()
                for file in (data.measured_models, data.certificate_state, data.fence):  # these also say that it runs
                    with suppress(OSError):
                        file.unlink()
                with suppress(OSError):
                    shutil.rmtree(sockets)
    return 0


def _keep_to_memory(launch: Launch, fenced: bool) -> None:
    """What of encrypted data could still reach a disk does not, or is said."""
    if launch.data.encrypted:
        spills.no_dumps()
        for sentence in spills.found(fenced) if launch.kind == "tdx" else ():
            notice(sentence)


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


def _kind(chosen: settings.Settings, release: Path, environ: Mapping[str, str]) -> str:
    kind = tdx.choose(chosen.tdx, tdx.look(environment.base(environ)), release / "simulator")
    if kind == "tdx-simulated":
        notice("TDX is SIMULATED on this machine. Everything works, and nothing is protected.")
    elif chosen.data_key == "none":
        notice(
            "DATA_KEY=none: what this service keeps lies in plain text below DATA_DIR. Whoever holds its disk reads it."
        )
    return kind


def _plan(launch: Launch, checked: Checked, allow_modified: bool, supervisor: Supervisor, no_fence: str) -> Plan:
    real = launch.kind == "tdx"
    needs = [Path(launch.python), launch.release, launch.data.root]
    user, account_notice = accounts.choose(launch.settings.run_as, real, needs)
    if account_notice:
        notice(account_notice)
    users = Accounts(user, accounts.for_door(real, needs, user), accounts.for_broker(real, needs))
    prepared = _prepare_models(launch, checked, allow_modified, supervisor, no_fence)
    key = "" if launch.data.encrypted else launch.data.secret_key(launch.settings.channel)
    planned = plan.make(launch, found.find(launch, checked, prepared, users, key, no_fence))
    ways_out.say(planned.egress)
    return planned


def _prepare_models(
    launch: Launch, checked: Checked, allow_modified: bool, supervisor: Supervisor, no_fence: str
) -> Prepared:
    """Measure what answers chats; an Ollama that has to be started for that runs where the web server will."""
    names = found.upstream_names(launch.release)
    fenced = plan.egress_of(launch, ModelServer("ollama"), names, no_fence).fenced
    started = starting.ollama_where_none_answers(launch, supervisor, fenced)
    inside = supervisor.fence if fenced and started else None

    def measure() -> Prepared:
        seal = launch.kind == "tdx"
        return models.prepare(launch, checked.manifest, allow_modified, supervisor.check, seal, inside is not None)

    if inside is None:
        return measure()
    ways_out.mark(launch.data, inside)
    return inside.inside(measure)


#: Open WebUI, and what serves models beside it.
Programs = tuple[Child, Child | None, Child | None]


@dataclass(frozen=True)
class _Running:
    """A plan on its way: what it says is measured and started."""

    plan: Plan
    supervisor: Supervisor
    opened: door.Opened

    def start(self, modified: bool) -> Summary:
        """Measure the plan's events and start its processes; what is returned says how it went."""
        planned, data = self.plan, self.plan.launch.data
        folders.give_folders(data, planned.user, planned.door.user)
        folders.give_socket(planned.launch.web_socket, planned.user, planned.door.user)
        if planned.relay and planned.relay.ready.file:  # of the launch before, it says nothing about this one
            planned.relay.ready.file.unlink(missing_ok=True)
        folders.write_certificates(data, planned.certificates)
        # These serve nobody yet; they get ready while the launch is being measured.
        listening = self.opened.start_door(self.supervisor, planned.door)
        pccs = self._start(planned.pccs)
        programs = None if data.encrypted else self._start_programs()
        outcome = registers.extend(planned.registrar, planned.events)
        if not outcome.measured:
            notice(f"This launch is UNMEASURED, and every client will see it: {outcome.problem}.")
        state = "modified" if modified else "measured" if outcome.measured else "unmeasured"
        self._serve_measurer(outcome)
        attester = self.opened.start_attester(self.supervisor, planned.attester)
        data.measured_models.unlink(missing_ok=True)
        if planned.model.allowed is not None:
            measured_models.write(data, planned.model.allowed)
        pccs_url = self._file(pccs).read_text().strip() if pccs else planned.launch.settings.pccs_url
        told = json.dumps({"TEE_LAUNCH": state, "TEE_PCCS_URL": pccs_url}).encode() + b"\n"
        locked = None
        if programs is None:
            self._wait(attester)
            listening.tell(told)
            assert self.opened.lock is not None  # noqa: S101 - what is locked has one
            locked = locked_data.LockedData(planned, self.supervisor, listening, self.opened.lock)
            planned, programs = self._unlocked(locked, outcome)
        addresses: dict[str, str] = {}
        for child in filter(None, programs[1:]):
            addresses |= ready.read_ready(self._file(child))
        web = programs[0]
        web.tell(json.dumps(planned.told(addresses)).encode() + b"\n")
        self._wait(attester, web)
        if locked:
            locked.serve()
        else:
            listening.tell(told)
            self._wait(listening)
        link = planned.administrator_link
        if link and ready.has_no_users(planned.launch.web_socket):
            say(f"There is no administrator yet. Whoever opens this link first and signs up becomes it:\n  {link}")
        return self._summary(state, outcome)

    def _unlocked(self, locked: locked_data.LockedData, outcome: Outcome) -> tuple[Plan, Programs]:
        """Wait for the owner; then measure what lies in the data, and start what serves."""
        code = locked.wait_for_owner()
        if outcome.measured and code:
            registers.extend(self.plan.registrar, code, keep=True)
        launch = self.plan.launch
        planned = self.plan.unlocked(launch.data.secret_key(launch.settings.channel))
        return planned, replace(self, plan=planned)._start_programs()

    def _start_programs(self) -> Programs:
        """Open WebUI, the embedded model's server and the relay: what reads people's words."""
        planned, data = self.plan, self.plan.launch.data
        web = self.supervisor.start(planned.web)
        model = self._start(planned.model_server)
        relay = ways_out.start(planned, self.supervisor)
        folders.give_static_files(planned.launch.release, data, planned.user)
        return web, model, relay

    def _start(self, process: Process | None) -> Child | None:
        return self.supervisor.start(process) if process else None

    def _wait(self, *children: Child) -> None:
        self.supervisor.wait(children, float(self.plan.launch.settings.start_timeout_s))

    def _file(self, child: Child) -> Path:
        """The ready file of a process, once it is there."""
        self._wait(child)
        assert child.spec.ready.file is not None  # noqa: S101 - the plan gave it one
        return child.spec.ready.file

    def _serve_measurer(self, outcome: Outcome) -> None:
        """Open the socket for late measurements."""

        def add(event: Event) -> None:
            if outcome.measured:
                registers.extend(self.plan.registrar, [event], keep=True)
            notice(
                f"{event.operation} {event.content['id']} runs administrators' Python: clients see it in the event log."
            )

        known = {event.line for event in self.plan.events}
        Measurer(self.plan.launch.measurer_socket, self.plan.asking_uid, add, known).start()

    def _summary(self, state: str, outcome: Outcome) -> Summary:
        launch, user = self.plan.launch, self.plan.user
        return Summary(
            address=launch.settings.local_url,
            origin=launch.settings.origin,
            kind=launch.kind,
            launch=_describe_launch(state, outcome),
            model=_describe_model(self.plan.model.server, launch.settings),
            account=user.name if user else accounts.current(),
            tls=launch.settings.tls,
            egress=self.plan.egress.said,
            data=str(launch.data.root),
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
        own = "of your own" if chosen.embedded_model else "small: to try it out"
        return f"{server.default_model}, embedded ({own})"
    return "none (LLM=none)"
