"""Between the web server and Ollama: passes on what that answers by itself, and only to the program that was measured.

Runs outside the fence as `_module launcher.serve.relay CONFIG READY_FILE listen=N [network=N]`, a process that may look
at Ollama's: `listen` is the socket on which it is asked, `network` the network in which Ollama listens where that is
not this process's own. A request is read whole and judged (`ollama_calls`), then a connection is made and judged
(`judge`), and only then is a word sent over it. A refusal is one sentence, as Ollama answers (`{"error": ...}`).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..files import beside
from ..measure import sockets
from ..measure.ollama_program import Answering, Program
from . import measured_models, ollama_calls
from .judge import Judge
from .namespaces import CLONE_NEWNET, checked, libc
from .refusals import Refusal
from .rights import give_up_mounting

CONNECT_S = 5.0
CHUNK = 65536
GONE = "Ollama does not answer: its operator has to start it again."


@dataclass(frozen=True)
class Target:
    """Ollama: its address, the path before its own ones, and the models that were measured, by name."""

    host: str
    port: int
    prefix: str
    models: Callable[[], frozenset[str]]


def serve(listener: socket.socket, target: Target, judge: Judge) -> None:
    """Pass requests on, each in a thread of its own."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connection, args=(client, target, judge), daemon=True).start()


def _connection(client: socket.socket, target: Target, judge: Judge) -> None:
    with client, suppress(OSError):
        try:
            call = ollama_calls.read(client, target.prefix, target.models)
            if call is not None:
                _pass_on(client, call, target, judge)
        except Refusal as refusal:
            _refuse(client, refusal)


def _pass_on(client: socket.socket, call: ollama_calls.Call, target: Target, judge: Judge) -> None:
    try:
        server = socket.create_connection((target.host, target.port), CONNECT_S)
    except OSError:
        raise Refusal("503 Service Unavailable", GONE) from None
    with server:
        server.settimeout(None)
        near, far = sockets.address(*server.getsockname()[:2]), sockets.address(*server.getpeername()[:2])
        held = judge.judge(near, far)
        if isinstance(held, str):
            raise Refusal("503 Service Unavailable", held)
        data = memoryview(call.bytes(f"{target.host}:{target.port}"))
        for at in range(0, len(data), CHUNK):
            if not held.is_still():  # a long request outlives a change of the program
                return
            server.sendall(data[at : at + CHUNK])
        hears = threading.Thread(target=_until_gone, args=(client, server), daemon=True)
        hears.start()
        while answer := server.recv(CHUNK):
            client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        hears.join(1)  # what is not read yet when a connection is closed takes the end of the answer with it
        client.shutdown(socket.SHUT_RDWR)  # that thread may hold it open


def _until_gone(client: socket.socket, server: socket.socket) -> None:
    """Where the client goes, Ollama need not go on. What else it says is for nobody: one request a connection."""
    with suppress(OSError):
        while client.recv(CHUNK):
            pass
    with suppress(OSError):
        server.shutdown(socket.SHUT_WR)


def _refuse(client: socket.socket, refusal: Refusal) -> None:
    body = json.dumps({"error": str(refusal)}).encode()
    head = (
        f"HTTP/1.1 {refusal.status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    client.sendall(head.encode() + body)
    client.shutdown(socket.SHUT_WR)
    client.settimeout(1)
    while client.recv(CHUNK):  # what it was about to send, or the answer could get lost
        pass


def main() -> None:
    """Relay until SIGTERM, as the configuration in the first argument says."""
    config, ready = json.loads(sys.argv[1]), Path(sys.argv[2])
    given = {name: int(number) for name, _, number in (word.partition("=") for word in sys.argv[3:])}
    if "network" in given:
        checked(libc.setns(given["network"], CLONE_NEWNET))
        os.close(given["network"])
    give_up_mounting()
    parts, models = urlsplit(config["url"]), Path(config["models"])
    judge = Judge(Program(config["sha384"], config["libraries"]), Answering(*config["answering"]))
    listener = socket.socket(fileno=given["listen"])
    url = f"{parts.scheme}://127.0.0.1:{listener.getsockname()[1]}{parts.path}"
    with beside(ready) as fresh:
        fresh.write_text(json.dumps({"ollama": url}))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = Target(parts.hostname or "", port, parts.path, lambda: frozenset(measured_models.read_file(models)))
    serve(listener, target, judge)


if __name__ == "__main__":
    main()
