"""A Function in the built release tries every way out of the web server, while what was allowed still works."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from . import apart, ollama_standin
from .conftest import Running
from .getting_out import TRIES, WAYS, machine
from .test_release import PYTHON, READY, START_S, Client, begin, built, chat

__all__ = ["built"]
pytestmark = [
    pytest.mark.release,
    pytest.mark.slow,
    pytest.mark.attack,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root"),
]

#: What it may ask in there, asked for more: Ollama to fetch or to ask elsewhere, the broker for another host.
MORE = """
import json, urllib.request
def http(url, body=None, proxy=None):
    handler = urllib.request.ProxyHandler({"http": proxy} if proxy else {})
    data = json.dumps(body).encode() if body is not None else None
    urllib.request.build_opener(handler).open(urllib.request.Request(url, data), timeout=10)
ollama, broker = os.environ["OLLAMA_BASE_URLS"], os.environ["http_proxy"]
http(ollama + "/api/version")
http(search, proxy=broker)
attempt("fetching a model", lambda: http(ollama + "/api/pull", {"model": "words.example/secret"}))
attempt("asking a model elsewhere", lambda: http(ollama + "/api/chat", {"model": "words:cloud", "messages": []}))
attempt("the broker to another host", lambda: http("http://words.example/", proxy=broker))
attempt("the broker to the machine", lambda: http(f"http://127.0.0.1:{host_port}/", proxy=broker))
"""


def own_address() -> str:
    """One of this machine's that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback, so the broker has nothing to reach")
        return str(probe.getsockname()[0])


class Search(BaseHTTPRequestHandler):
    """A SearXNG that found one page."""

    def do_GET(self) -> None:
        found = {"url": "https://moon.example/cheese", "title": "Moon", "content": "made of cheese", "score": 1}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"results": [found]}).encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def searching() -> Iterator[str]:
    server = ThreadingHTTPServer((own_address(), 0), Search)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{server.server_address[0]!s}:{server.server_port}/search"
    server.shutdown()
    server.server_close()


def add_function(client: Client, folder: Path, port: int, search: str) -> None:
    said = folder / "said"
    begin = f"host_port, parent, search, file = {port}, {str(os.getpid())!r}, {search!r}, open({str(said)!r}, 'w')\n"
    begin += "say = lambda *words: print(*words, file=file, flush=True)\n"
    content = f"{begin}{TRIES}{MORE}\nclass Pipe:\n    def pipe(self, body):\n        return 'done'\n"
    client.json("/api/v1/functions/create", {"id": "out", "name": "Out", "content": content, "meta": {}})


def test_nothing_gets_out_of_the_release(built: Path) -> None:
    with apart.public_folder() as folder, ollama_standin.running() as ollama, searching() as search, machine() as port:
        store = folder / "store"
        ollama.offer("tiny:latest", ollama_standin.add_model(store))
        settings = {
            "ENABLE_RAG_WEB_SEARCH": "true", "RAG_WEB_SEARCH_ENGINE": "searxng", "SEARXNG_QUERY_URL": search,
            "BYPASS_WEB_SEARCH_EMBEDDING_AND_RETRIEVAL": "true",
            "OLLAMA_BASE_URL": ollama.url, "OLLAMA_MODELS": str(store),
        }  # fmt: skip
        service = begin(apart.release(built, folder), folder / "data", LLM="ollama", **PYTHON, **settings)
        try:
            service.until(READY, START_S)
            _try(service, port, search)
        finally:
            service.end()
        assert not {"/api/pull", "/api/push"} & set(ollama.paths)
        assert not service.members()


def _try(service: Running, port: int, search: str) -> None:
    host = search.removeprefix("http://").removesuffix("/search")
    (site,) = (line for line in service.log() if line.startswith("open-webui-tdx site "))
    assert f'"egress":["{host}"]' in site
    client = Client(f"http://127.0.0.1:{service.port}")
    person = {"name": "A", "email": "a@example.com", "password": "secret"}
    client.token = client.json("/api/v1/auths/signup", person)["token"]
    # What people do still works: a chat, and a search, of which no page is fetched.
    client.json("/api/models")
    assert "well." in chat(client, "tiny:latest")
    found = client.json("/api/v1/retrieval/process/web/search", {"query": "moon", "collection_name": ""})
    assert found["docs"][0]["content"] == "Moon\nmade of cheese"
    status, text = client.ask("/api/v1/retrieval/process/web", {"url": "https://words.example/secret"})
    assert status == 400 and "fenced in, so that nothing gets out" in text
    add_function(client, service.data / "webui", port, search)
    said = (service.data / "webui" / "said").read_text()
    assert "WENT OUT" not in said and said.count("refused") == WAYS + 4, said
