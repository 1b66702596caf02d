"""A site outside: it answers every request, from any page, and keeps what it was asked."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

from simulator.serving import HttpServing


class Elsewhere(HttpServing):
    """On 127.0.0.1, between `start` and `stop` or inside a `with`; `requests` holds "METHOD /path?query" so far."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[str] = []
        super().__init__(port, _handler(self))


def _handler(site: Elsewhere) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            site.requests.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Headers", "*")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST = do_PUT = do_OPTIONS = do_HEAD = _take

        def log_message(self, *args: object) -> None:
            pass

    return Handler
