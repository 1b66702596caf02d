"""Between the web server and Ollama: passes a connection on only to the program that was measured.

Runs as `_module launcher.serve.relay CONFIG READY_FILE`, a process that may look at Ollama's. Each connection is made
first and judged then: the process that accepted it must be the one that was measured, held by a pidfd and with the
same executable. Another process is measured anew before it gets a word. Until then, and where it is another program,
the answer is one sentence (HTTP 503, `{"error": ...}`, as Ollama answers).
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import LauncherError
from ..files import beside
from ..measure import ollama_program, sockets
from ..measure.ollama_program import Answering, Program

ACCEPT_S = 5.0
CHUNK = 65536
GONE = "Ollama does not answer: its operator has to start it again."
MEASURING = "Ollama was started anew and is being measured: try again in a moment."
OTHER = (
    "The program that answers as Ollama is not the one that was measured, so nothing is sent to it: "
    "its operator can have it measured by starting the service again."
)
UNSEEN = "Which program answers as Ollama cannot be seen, so nothing is sent to it."


@dataclass(frozen=True)
class Held:
    """A process that was measured: its pidfd says when it ends, whatever gets its number then."""

    answering: Answering
    handle: int

    def is_still(self) -> bool:
        """Whether it runs, and runs the same executable."""
        if select.select([self.handle], [], [], 0)[0]:
            return False
        with suppress(OSError):
            return ollama_program.look(self.answering.pid) == self.answering
        return False


class Judge:
    """Knows what was measured, and which process is that now."""

    def __init__(self, expected: Program, first: Answering) -> None:
        self._expected, self._lock = expected, threading.Lock()
        self._held = self._hold(first)
        self._others: set[Answering] = set()
        self._measuring: set[Answering] = set()

    def _hold(self, answering: Answering) -> Held | None:
        with suppress(OSError):
            held = Held(answering, os.pidfd_open(answering.pid))
            if held.is_still():
                return held
            os.close(held.handle)
        return None

    def judge(self, near: sockets.Address, far: sockets.Address) -> Held | str:
        """Who has accepted the connection from `near` to `far`, or why nothing may be sent over it."""
        inode, deadline = "", time.monotonic() + ACCEPT_S
        while not inode and time.monotonic() < deadline:
            inode = sockets.accepted(near, far)
            time.sleep(0 if inode else 0.002)
        with self._lock:
            held = self._held
        if held and held.is_still() and inode in sockets.held(held.answering.pid):
            return held
        return self._other(inode)

    def _other(self, inode: str) -> str:
        pids = sockets.holders({inode}) if inode else []
        try:
            (pid,) = pids
            answering = ollama_program.look(pid)
        except (ValueError, OSError):
            return UNSEEN
        with self._lock:
            if answering in self._others:
                return OTHER
            if answering not in self._measuring:
                self._measuring.add(answering)
                threading.Thread(target=self._measure, args=(answering,), daemon=True).start()
        return MEASURING

    def _measure(self, answering: Answering) -> None:
        held = self._hold(answering)
        good = False
        with suppress(LauncherError, OSError):
            good = ollama_program.measure(answering.executable) == self._expected
        with self._lock:
            self._measuring.discard(answering)
            if good and held and held.is_still():
                self._held = held  # the old handle stays open: another thread may be asking it
            elif not good:
                self._others.add(answering)


def serve(listener: socket.socket, target: tuple[str, int], judge: Judge) -> None:
    """Pass connections on, each in a thread of its own."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connection, args=(client, target, judge), daemon=True).start()


def _connection(client: socket.socket, target: tuple[str, int], judge: Judge) -> None:
    with client:
        try:
            server = socket.create_connection(target, ACCEPT_S)
        except OSError:
            return _refuse(client, GONE)
        with server:
            server.settimeout(None)
            near, far = sockets.address(*server.getsockname()[:2]), sockets.address(*server.getpeername()[:2])
            held = judge.judge(near, far)
            if isinstance(held, str):
                return _refuse(client, held)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server, held.is_still)  # a connection that stays open outlives a change of the program
            back.join()


def _pump(source: socket.socket, sink: socket.socket, may: Callable[[], bool] = lambda: True) -> None:
    """Pass on what comes from `source`, until it ends or `may` says no."""
    with suppress(OSError):
        while (data := source.recv(CHUNK)) and may():
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _refuse(client: socket.socket, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with suppress(OSError):
        client.sendall(head.encode() + body)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(1)
        while client.recv(CHUNK):  # what it was about to send, or the answer could get lost
            pass


def main() -> None:
    """Relay until SIGTERM, as the configuration in the first argument says."""
    config, ready = json.loads(sys.argv[1]), Path(sys.argv[2])
    parts = urlsplit(config["url"])
    judge = Judge(Program(config["sha384"], config["libraries"]), Answering(*config["answering"]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    url = f"{parts.scheme}://127.0.0.1:{listener.getsockname()[1]}{parts.path}"
    with beside(ready) as fresh:
        fresh.write_text(json.dumps({"ollama": url}))
    serve(listener, (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)), judge)


if __name__ == "__main__":
    main()
