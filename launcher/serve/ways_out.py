"""The fence of one launch, and the ways through it: the relay to Ollama, and the broker to what the settings name."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ..datadir import DataDir
from ..errors import UnavailableError, writing
from ..measure import interpreter
from ..plan import settings
from ..plan.egress import Egress
from ..plan.launch import Launch
from ..plan.plan import Plan
from ..plan.processes import Process
from ..summary import notice
from . import fence, fence_unit
from .fence import Fence
from .supervisor import Child, Supervisor


def build(launch: Launch) -> tuple[Fence | None, str]:
    """A fence for this launch, of its own or a unit's, or why there can be none."""
    marked = launch.module("fence", "")
    entry = marked[: marked.index("_module")]
    try:
        return fence.build(entry, _seen(launch)), ""
    except UnavailableError as error:
        why = error
    if os.geteuid() == 0 and fence_unit.is_there():
        try:
            return fence_unit.join(entry, _seen(launch), launch.release), ""
        except UnavailableError as error:
            why = error
    return None, str(why).rstrip(".")


def problem(release: Path, environ: Mapping[str, str]) -> str:
    """Why a launch here has no fence, or "". Raises SettingError."""
    nowhere = DataDir(Path("/proc/self/nowhere"), "no-boot")  # where not even root can put bytecode
    chosen, python = settings.load(environ), interpreter.executable()
    launch = Launch(release, chosen, nowhere, "tdx-simulated", environ, python, os.getpid(), Path("/nonexistent"))
    made, why = build(launch)
    if made:
        os.close(made.network)
    return why


def _seen(launch: Launch) -> list[Path]:
    """What has to be seen inside, wherever it lies: the release, Python, the data and Ollama's store and program."""
    chosen = launch.settings
    places = [launch.release, launch.data.root, launch.sockets, chosen.ollama_models]
    places += [Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.base_exec_prefix)]
    places += [Path(launch.python).parent]
    if chosen.ollama_binary:
        places.append(Path(chosen.ollama_binary).resolve().parent.parent)
    database = launch.environ.get("DATABASE_URL", "")
    if database.startswith("sqlite:///"):
        places.append(Path(database.removeprefix("sqlite:///")).parent)
    found = [place.absolute() for place in places if place.is_dir()]
    return [place for place in dict.fromkeys(found) if len(place.parts) > 2]


def say(egress: Egress) -> None:
    """What of the settings, or of this machine, lets words out."""
    if not egress.fenced:
        notice(f"What runs in this service may connect anywhere, and verifiers say so: {egress.why}.")


def start(planned: Plan, supervisor: Supervisor) -> Child | None:
    """Start the relay, which is returned where there is one, and the broker. Raises LauncherError."""
    inside = supervisor.fence if planned.egress.fenced else None
    if planned.broker and inside:
        with _listeners(planned.egress, inside) as words:
            _start(supervisor, planned.broker, words)
    if planned.relay is None:
        return None
    listener = inside.listen("127.0.0.1") if inside else socket.create_server(("127.0.0.1", 0))
    with listener:
        words = {f"listen={listener.fileno()}": listener.fileno()}
        ollama = planned.model.server.ollama
        if ollama and ollama.inside and inside:
            words[f"network={inside.network}"] = inside.network
        return _start(supervisor, planned.relay, words)


def _start(supervisor: Supervisor, process: Process, words: dict[str, int]) -> Child:
    return supervisor.start(replace(process, command=(*process.command, *words)), list(words.values()))


@contextmanager
def _listeners(egress: Egress, inside: Fence) -> Iterator[dict[str, int]]:
    """Open files for the broker, by the words that name them. Raises UnavailableError."""
    with ExitStack() as opened:
        words = {}
        wanted = [("127.0.0.1", egress.proxy, "proxy={}")] if egress.proxy else []
        for host, port in egress.forwards:
            wanted += [(each, port, f"forward={{}}:{host}:{port}") for each in _addresses(host)]
        for address, port, word in wanted:
            try:
                listener = opened.enter_context(inside.listen(address, port))
            except OSError as error:
                raise UnavailableError(f"Nothing can listen at {address}:{port} inside the fence: {error}.") from None
            words[word.format(listener.fileno())] = listener.fileno()
        yield words


def _addresses(host: str) -> Sequence[str]:
    return ("127.0.0.1", "::1") if host == "localhost" else (host,)


def mark(data: DataDir, inside: Fence) -> None:
    """Leave word of where an Ollama inside the fence can be asked, for `measure-model`."""
    with writing("the way into the fence", data.fence):
        data.fence.unlink(missing_ok=True)
        data.fence.write_text(f"/proc/{os.getpid()}/fd/{inside.network}")


@contextmanager
def of_running(data: DataDir) -> Iterator[Fence | None]:
    """The fence of the running service where its Ollama is inside. Raises UnavailableError for who may not enter."""
    try:
        network = os.open(data.fence.read_text(), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise UnavailableError(f"Only root can ask the Ollama of the running service: {error.strerror}.") from None
    try:
        yield Fence(network, (), 0, ())
    finally:
        with suppress(OSError):
            os.close(network)
