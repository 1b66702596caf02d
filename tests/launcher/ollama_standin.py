"""A stand-in for Ollama: its API as far as the launcher and Open WebUI use it, and its store on the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator.serving import Answering, HttpServing

WORDS = ("All", " is", " well.")


class FakeOllama(HttpServing):
    """`tags`: the models that it lists. `paths`: what was asked of it by POST."""

    def __init__(self) -> None:
        self.tags: list[dict[str, Any]] = []
        self.paths: list[str] = []
        super().__init__(0, type("Handler", (Handler,), {"ollama": self}))

    def offer(self, name: str, digest: str) -> None:
        details = {"family": "llama", "parameter_size": "1M"}
        self.tags.append({"name": name, "model": name, "digest": digest, "size": 1, "details": details})


class Handler(Answering):
    ollama: FakeOllama

    def do_GET(self) -> None:
        answers = {"/api/version": {"version": "0.5.7"}, "/api/tags": {"models": self.ollama.tags}}
        self._answer(json.dumps(answers.get(self.path, {})))

    def do_POST(self) -> None:
        self.ollama.paths.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        lines = [{"message": {"role": "assistant", "content": word}, "done": False} for word in WORDS]
        end = {"message": {"role": "assistant", "content": ""}, "done": True, "eval_count": 3}
        self._answer("".join(json.dumps({"model": "m", **line}) + "\n" for line in [*lines, end]))

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if self.command == "GET":  # a chat is a stream: its length is not known beforehand
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def running() -> Iterator[FakeOllama]:
    with FakeOllama() as found:
        yield found


def add_blob(store: Path, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    (store / "blobs" / f"sha256-{digest}").write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content), "mediaType": "x"}


def add_model(store: Path, name: str = "library/tiny/latest", weights: bytes = b"weights") -> str:
    """Write a model as Ollama lays it out; returns its manifest's SHA-256."""
    layers = [add_blob(store, weights), add_blob(store, b"template")]
    document = {"schemaVersion": 2, "config": add_blob(store, b"{}"), "layers": layers}
    path = store / "manifests" / "registry.ollama.ai" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return hashlib.sha256(path.read_bytes()).hexdigest()
