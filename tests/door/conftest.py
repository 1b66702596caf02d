"""A door that runs as in a release, before a stand-in for the web server."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BACKEND = ROOT / "patches" / "files" / "backend"
if str(BACKEND) not in sys.path:
    sys.path.insert(0, str(BACKEND))

PAGE = "<!doctype html><script>start()</script>" + "<p>page</p>" * 200
FILES = {
    "index.html": PAGE,
    "_app/immutable/entry.abc123.js": "let a = 1;\n" * 400,
    "_app/version.json": "{}",
    "favicon.png": "png",
    "static/loader.js": "the frontend's",
    "pyodide/big.wasm": "x" * 3_000_000,
}
STATIC = {"static/loader.js": "upstream's", "static/logo.png": "logo"}


def write_release(folder: Path) -> Path:
    """A release with pages, as far as the door reads one."""
    files = {f"backend/open_webui/frontend/{name}": text for name, text in FILES.items()}
    files |= {f"backend/open_webui/{name}": text for name, text in STATIC.items()}
    zipped = {f"compressed/{name}.gz": f"zipped {name}" for name in files if name.endswith((".js", ".html", ".wasm"))}
    listed = []
    for name, text in (files | zipped).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        listed.append({"path": name, "sha384": hashlib.sha384(text.encode()).hexdigest(), "size": len(text)})
    (folder / "release.json").write_text(json.dumps({"v": 1, "files": listed}))
    return folder


@dataclass
class Running:
    """A door and a web server behind it, both processes."""

    port: int
    behind: Path
    keep: int
    door: subprocess.Popen[bytes]
    web: subprocess.Popen[bytes] | None
    tls: bool
    log: Path
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    def connect(self) -> http.client.HTTPConnection:
        made: http.client.HTTPConnection
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            made = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        else:
            made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.connections.append(made)
        return made

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request on a connection of its own; the answer and its body."""
        connection = self.connect()
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer, answer.read()

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)


Start = Callable[..., Running]


def _wait(what: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while not what():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"it did not start:\n{log.read_text()}")
        time.sleep(0.02)


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def start_web(path: Path | int, log: Path, *options: str) -> subprocess.Popen[bytes]:
    """The stand-in at a Unix socket or a port; `options` are the files of its TLS."""
    if isinstance(path, Path):
        path.unlink(missing_ok=True)
    with log.open("ab") as output:
        web = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/door/webserver.py"), str(path), *options], stdout=output, stderr=output
        )
    _wait(lambda: answers(path) if isinstance(path, Path) else _listens(path), web, log)
    return web


def keep_file(**values: str) -> int:
    """A keep, as the launcher makes one in memory."""
    handle = os.memfd_create("keep")
    for name, value in values.items():
        os.write(handle, json.dumps({"name": name.replace("_", "-"), "value": value}).encode() + b"\n")
    return handle


class World:
    """Starts doors and web servers, and ends them."""

    def __init__(self, folder: Path, python: str = sys.executable, packages: Path | None = None) -> None:
        self.folder = folder
        self.path = [ROOT, BACKEND, *([packages] if packages else [])]
        # A release's packages are never met by a machine's start-up hooks: some add a certificate to every certifi.
        self.python = [python, *(["-S"] if packages else [])]
        self.release = write_release(folder / "release")
        self.started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        *,
        web: bool = True,
        tls: str = "off",
        keep: int | None = None,
        bind: int = -1,
        talk: int = -1,
        unlock: int = -1,
        http: socket.socket | None = None,
        told: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        entry: tuple[str, ...] = ("-m", "door"),
        **config: Any,
    ) -> Running:
        number = len(self.started)
        path, log = self.folder / f"web-{number}.sock", self.folder / f"door-{number}.log"
        server = start_web(path, log) if web else None
        listener = socket.socket()  # bound, not listening: the door does that
        listener.bind(("127.0.0.1", 0))
        keep = keep_file() if keep is None else keep
        chosen = {"release": str(self.release), "web_socket": str(path), "tls": tls, "names": ["chat.example"]}
        arguments = [f"listen={listener.fileno()}", f"keep={keep}", *([f"bind={bind}"] if bind >= 0 else [])]
        arguments += [f"talk={talk}"] if talk >= 0 else []
        arguments += [f"unlock={unlock}"] if unlock >= 0 else []
        arguments += [f"http={http.fileno()}"] if http else []
        with log.open("ab") as output:
            door = subprocess.Popen(
                [*prefix, *self.python, "-B", *entry, json.dumps(chosen | config), *arguments],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(map(str, self.path)), "TEE_GATE": "off"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                pass_fds=[
                    number
                    for number in (listener.fileno(), keep, bind, talk, unlock, http.fileno() if http else -1)
                    if number >= 0
                ],
            )
        self.started += [door, *([server] if server else [])]
        port = listener.getsockname()[1]
        listener.close()
        running = Running(port, path, keep, door, server, tls != "off", log)
        assert door.stdin is not None
        if told is None:
            door.stdin.write(b'{"TEE_LAUNCH": "measured"}\n')
        else:
            door.stdin.write(json.dumps(told).encode() + b"\n")
        door.stdin.flush()
        _wait(lambda: _listens(port), door, log)
        return running

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One door and web server for the tests that change nothing about them."""
    made = World(tmp_path_factory.mktemp("door"))
    yield made.start()
    made.end()
