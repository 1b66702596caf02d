"""A server in front of pebble that answers some paths itself: with what an ACME server should never, or seldom, say."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.door.issuing.pebble import Pebble

FRAMING = ("Content-Length", "Transfer-Encoding")


@dataclass(frozen=True)
class Reply:
    """An answer. `drip` sends its body one byte each quarter of a second; status 0 only hangs up."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drip: bool = False


Rule = Reply | Callable[[Reply], Reply]  # the latter changes pebble's own answer


class Meddler:
    """`rules`: what is said for paths that start with the key; everything else is pebble's."""

    def __init__(self, pebble: Pebble) -> None:
        self.rules: dict[str, Rule] = {}
        self.asked: list[str] = []
        self._pebble = pebble
        meddler = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                meddler._answer(self)

            do_GET = do_POST = do_HEAD = handle_one

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pebble.folder / "cert.pem", pebble.folder / "key.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def directory(self) -> str:
        return f"https://localhost:{self._server.server_address[1]}/dir"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append(handler.path)
        rule = next((self.rules[path] for path in list(self.rules) if handler.path.startswith(path)), None)
        reply = rule if isinstance(rule, Reply) else self._forward(handler)
        if callable(rule):
            reply = rule(reply)
        if not reply.status:
            handler.close_connection = True
            return
        handler.send_response_only(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            for part in [bytes([byte]) for byte in reply.body] if reply.drip else [reply.body]:
                handler.wfile.write(part)
                time.sleep(0.25 if reply.drip else 0)
        except OSError:
            pass  # whoever asked has left

    def _forward(self, handler: BaseHTTPRequestHandler) -> Reply:
        context = ssl.create_default_context(cafile=str(self._pebble.ca_file))
        connection = http.client.HTTPSConnection("localhost", self._pebble.port, timeout=10, context=context)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in handler.headers.items() if name != "Connection"}
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.getheaders() if name not in FRAMING}
        reply = Reply(answer.status, answer.read(), kept)
        connection.close()
        return reply
