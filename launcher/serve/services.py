"""The processes of a launch: how each is started, with what environment, and when it is ready."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..datadir import DataDir
from ..errors import UnavailableError, writing
from ..plan import webserver
from ..plan.settings import Settings
from . import llm
from .accounts import give
from .processes import Spec, User

SOCKET_PATH_LIMIT = 100  # the kernel's is 107 bytes


@dataclass(frozen=True)
class Launch:
    """What every process of one launch shares."""

    release: Path
    settings: Settings
    data: DataDir
    kind: str  # tdx or tdx-simulated
    sockets: Path = field(default_factory=Path)

    @property
    def simulator(self) -> Path:
        return self.release / "simulator"

    def python(self, role: str, module: str, *arguments: str) -> tuple[str, ...]:
        """Run a module with the release's packages, isolated from the account's and the machine's own ones."""
        return (
            sys.executable,
            "-I",
            "-S",
            "-X",
            f"pycache_prefix={self.data.bytecode(role)}",
            str(self.release / "launcher" / "__main__.py"),
            "_module",
            str(os.getpid()),
            module,
            *arguments,
        )

    def machine_env(self) -> dict[str, str]:
        env = {name: os.environ[name] for name in webserver.MACHINE if name in os.environ}
        return {"LANG": "C.UTF-8", **env, "PYTHONUNBUFFERED": "1"}

    def device_env(self) -> dict[str, str]:
        """The environment of the two processes that may touch the device: the attester and the one that measures."""
        env = self.machine_env()
        for name in ("LD_LIBRARY_PATH", "DCAP_TDX_QUOTE_CONFIGFS_PATH"):
            if name in os.environ:
                env[name] = os.environ[name]
        if self.kind == "tdx-simulated":
            faults = {name: value for name, value in os.environ.items() if name.startswith("TDX_SIM_")}
            env |= faults | {"LD_LIBRARY_PATH": str(self.simulator), "TDX_SIM_STATE": str(self.data.simulator_state)}
        return env


def socket_folder(data: DataDir) -> Path:
    """A private folder for sockets: below the data folder, or elsewhere where that path is too long for one."""
    folder = data.run / "sockets"
    if len(bytes(folder / "attester.sock")) > SOCKET_PATH_LIMIT:
        folder = Path(tempfile.mkdtemp(prefix="open-webui-tdx-"))
        folder.chmod(0o711)  # the web server's account passes through; the socket itself checks who asks
        return folder
    with writing("sockets", folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o755)
    return folder


def give_folders(data: DataDir, user: User | None) -> None:
    """Make the folders of the processes without rights, theirs alone: Open WebUI's data, ready files, bytecode."""
    with writing("the data folder", data.root):
        shutil.rmtree(data.ready, ignore_errors=True)
        theirs = [data.webui, data.ready, *(data.bytecode(role) for role in ("web", "llm", "pccs"))]
        for folder in theirs:
            folder.mkdir(parents=True, exist_ok=True)
    for folder in theirs:
        give(user, folder)


def attester(launch: Launch, release_digest: str, web_user: User | None) -> Spec:
    """The one process that holds the device."""
    path = launch.sockets / "attester.sock"
    uid = web_user.uid if web_user else os.geteuid()
    arguments = ["--socket", str(path), "--event-log", str(launch.data.event_log), "--allow-uid", str(uid)]
    if release_digest:
        arguments += ["--release-digest", release_digest]
    if launch.settings.origin:
        arguments += ["--origin", launch.settings.origin]
    if launch.settings.tls_spki_sha256:
        arguments += ["--tls-spki-sha256", launch.settings.tls_spki_sha256]
    return Spec(
        "attester",
        launch.python("attester", "quote_generator.attester", *arguments),
        launch.device_env(),
        launch.data.run,
        lambda: _answers(path),
    )


def pccs(launch: Launch, user: User | None) -> tuple[Spec, Path]:
    """The stand-in for Intel's collateral service, for simulated quotes; the path is of the file that gets its URL."""
    ready = launch.data.ready / "pccs.url"
    command = launch.python("pccs", "simulator", "pccs", "--port", "0", "--ready-file", str(ready))
    return Spec("simulated PCCS", command, launch.machine_env(), launch.data.run, ready.exists, user), ready


def embedded_model(launch: Launch, user: User | None) -> tuple[Spec, Callable[[], webserver.ModelServer]]:
    """The embedded model's server, and how to learn its addresses once it is ready."""
    weights = weights_file(launch.release)
    key, ready = "sk-" + secrets.token_urlsafe(24), launch.data.ready / "llm.json"
    command = launch.python("llm", "launcher.serve.llm", str(weights), str(ready))

    def found() -> webserver.ModelServer:
        urls = read_ready(ready)
        name = llm.model_name(weights)
        return webserver.ModelServer("embedded", urls["chat"], urls["embeddings"], key, name, (name,))

    env = launch.machine_env() | {"LLM_API_KEY": key}
    return Spec("model server", command, env, launch.data.run, ready.exists, user), found


def weights_file(release: Path) -> Path:
    """The release's embedded model."""
    found = sorted((release / "llm").glob("*.gguf"))
    if not found:
        raise UnavailableError(f"This release has no embedded model: there is no *.gguf in {release / 'llm'}.")
    return found[0]


def web_server(launch: Launch, env: dict[str, str], user: User | None) -> Spec:
    """Open WebUI itself, as an account without access to the device; it serves once it is told the rest of ``env``."""
    command = launch.python("web", "launcher.serve.web", *webserver.arguments(launch.settings))
    url = launch.settings.local_url
    return Spec("web server", command, env, launch.data.webui, lambda: healthy(url), user, stop_s=8.0, told=True)


def give_static_files(launch: Launch, user: User | None) -> None:
    """What the web server needs on disk before it is told to serve: its own copy of the static files, and a home."""
    data = launch.data
    with writing("the web server's static files", data.static):
        # Upstream copies into this folder at every start and serves what it finds: begin with the release's own files.
        shutil.rmtree(data.static, ignore_errors=True)
        shutil.copytree(launch.release / "backend/open_webui/static", data.static)
        (data.webui / "home").mkdir(exist_ok=True)
    for folder in (data.static, data.webui):
        give(user, folder)


def healthy(url: str) -> bool:
    """Whether the web server answers ``GET /health`` with 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_port(settings: Settings) -> None:
    """Fail early and clearly if the address cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise UnavailableError(f"HOST={settings.host} is not an address of this machine.") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            busy = f"something else listens on {settings.host}:{settings.port}; choose another PORT, or stop it"
            denied = f"listening on port {settings.port} is not allowed for this account; choose a PORT from 1024 on"
            wrong = f"HOST={settings.host} is not an address of this machine"
            text = {98: busy, 13: denied, 99: wrong}.get(error.errno or 0, str(error))
            raise UnavailableError(f"Cannot listen: {text}.") from None


def read_ready(path: Path) -> dict[str, Any]:
    """A ready file's JSON object."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise UnavailableError(f"{path} does not hold what a process that is ready should write.")
    return document


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
