"""The release's packages, a real ACME server and a process that keeps its certificate there."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.config import from_environment
from tests import interpreter
from tests.door.issuing.pebble import Pebble
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
NAME = "chat.example"
# So that a test is not as slow as a careful door: `renew_at` and what the CA says are as they are.
QUICK = {"least_s": 0.1, "first_s": 0.1, "longest_s": 0.3, "spread": 0.0}


@dataclass
class Door:
    """A running `tests.door.issuing.process` and its log so far."""

    process: subprocess.Popen[str]
    port: int
    http_port: int
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line.rstrip("\n"))

    def until(self, text: str, after: int = 0, timeout: float = 30) -> str:
        """The first line of the log, from line `after` on, that holds `text`."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if found := [line for line in self.log[after:] if text in line]:
                return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        pytest.fail(f"{text!r} did not come:\n" + "\n".join(self.log[-20:]))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def connect(self, root: str = "") -> ssl.SSLSocket:
        """A TLS connection; with a `root` (PEM) its chain and name are checked."""
        context = ssl.create_default_context(cadata=root or None)
        if not root:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10), server_hostname=NAME)


def echoes(connection: ssl.SSLSocket) -> bool:
    connection.sendall(b"still here\n")
    return connection.recv(100) == b"still here\n"


@pytest.fixture(scope="session")
def packages() -> Path:
    """The release's packages: the tests' own environment has others than the `acme` library can live with."""
    release = from_environment(ROOT).release
    if not (release / "site-packages" / "acme").is_dir():
        pytest.fail(f"There is no release with the acme library in {release}; run `make build` first.", pytrace=False)
    return release / "site-packages"


@pytest.fixture(scope="session")
def release_python(packages: Path) -> str:
    return interpreter.release_python(packages.parent)


@pytest.fixture
def pebble(tmp_path: Path) -> Iterator[Pebble]:
    """A running ACME server."""
    made = Pebble(tmp_path / "pebble", free_port())
    made.start()
    yield made
    made.close()


Start = Callable[..., Door]


@pytest.fixture(scope="module")
def start(packages: Path, release_python: str) -> Iterator[Start]:
    """Starts a `Door` in a folder for a directory; with the ports of an earlier one if `again` is given."""
    listeners: dict[int, list[socket.socket]] = {}
    started: list[Door] = []

    def begin(
        pebble: Pebble, folder: Path, again: Door | None = None, shift: dict[str, str] | None = None, **setup: Any
    ) -> Door:
        pair = listeners[again.port] if again else [socket.socket(), socket.create_server(("127.0.0.1", 0))]
        if not again:
            pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            pair[0].bind(("127.0.0.1", pebble.http_port))
        port = int(pair[1].getsockname()[1])
        listeners[port] = pair
        folder.mkdir(exist_ok=True)
        given = {"directory": pebble.directory, "ca_file": str(pebble.ca_file), "folder": str(folder), "waits": QUICK}
        env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
        env |= {"PYTHONPATH": f"{ROOT}:{packages}", "LISTENERS": ",".join(str(each.fileno()) for each in pair)}
        env |= {"https_proxy": "http://127.0.0.1:9", "REQUESTS_CA_BUNDLE": "/nonexistent"}  # not to be looked at
        # Without `site`: a machine's start-up hooks could change the release; some add a certificate to every certifi.
        process = subprocess.Popen(
            [release_python, "-S", "-B", "-m", "tests.door.issuing.process", json.dumps(given | setup)],
            env=env | (shift or {}),
            pass_fds=[each.fileno() for each in pair],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
        )
        started.append(Door(process, port, pebble.http_port))
        started[-1].until("ready")
        return started[-1]

    yield begin
    for door in started:
        if door.process.poll() is None:
            door.kill()
        if door.process.stdout is not None:
            door.process.stdout.close()
    for pair in listeners.values():
        for each in pair:
            each.close()
