"""What a set-up reaches of the outside, at this machine's end of the container's wire: by TLS, from a test's CA."""

from __future__ import annotations

import hashlib
import http.server
import io
import socket
import socketserver
import ssl
import tarfile
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from simulator.serving import HttpServing, Serving
from tests.door.authorities import TestAuthority, draw, pem
from tests.standins import ollama_program


def context(authority: TestAuthority, address: str, folder: Path) -> ssl.SSLContext:
    """A server's, with a certificate for `address`."""
    key = draw()
    (folder / "leaf.pem").write_bytes(pem(key) + authority.leaf(key.public_key(), address))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "leaf.pem")
    return made


class Files(HttpServing):
    """A folder over HTTP."""

    def __init__(self, folder: Path) -> None:
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

        super().__init__(0, partial(Handler, directory=str(folder)))  # type: ignore[arg-type]


class TlsEnd(Serving):
    """Ends TLS at `address` and passes every byte on to `behind`, the URL of something on this machine's loopback."""

    def __init__(self, address: str, made: ssl.SSLContext, behind: str) -> None:
        port = int(behind.rpartition(":")[2])

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with (
                    suppress(OSError),
                    made.wrap_socket(self.request, server_side=True) as near,
                    socket.create_connection(("127.0.0.1", port)) as far,
                ):
                    back = threading.Thread(target=_pass, args=(far, near), daemon=True)
                    back.start()
                    _pass(near, far)
                    back.join()

        self._server = socketserver.ThreadingTCPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.host = f"{address}:{self._server.server_address[1]}"

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _pass(source: socket.socket, target: socket.socket) -> None:
    """Every byte until `source` says that it was the last, or is gone: then `target` hears so."""
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def ollama_archive(path: Path) -> str:
    """An archive as Ollama publishes it (`bin/ollama`, `lib/ollama/`), of the stand-in; its SHA-256."""
    content = b"#!/usr/bin/python3\n" + Path(ollama_program.__file__).read_bytes()
    with tarfile.open(path, "w:gz") as file:
        for name, data, mode in (("bin/ollama", content, 0o755), ("lib/ollama/runner", b"none", 0o644)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            file.addfile(entry, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()
