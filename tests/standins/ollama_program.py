#!/usr/bin/env python3
"""A stand-in for Ollama's program (`ollama serve`), to be put into an archive: its API, its store, resumed downloads.

Only the standard library. It follows Ollama's API as documented for 0.5.7: `/api/version`, `/api/tags`, `/api/pull` (a
stream of lines; partial blobs are kept as `sha256-<hex>-partial`), `/api/chat` (a stream).
"""

import hashlib
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STORE = Path(os.environ.get("OLLAMA_MODELS", "/nonexistent"))
Line = dict[str, Any]
CHUNK = 64 * 1024


def path_of(name: str) -> tuple[str, str, str]:
    parts = name.split("/")
    host, rest = (parts[0], parts[1:]) if len(parts) == 3 else ("registry.ollama.ai", parts)
    namespace, last = (rest[0], rest[1]) if len(rest) == 2 else ("library", rest[0])
    model, _, tag = last.partition(":")
    return host, f"{namespace}/{model}", tag or "latest"


def pull(name: str, insecure: bool) -> Iterator[Line]:
    """Lines of a pull, as they happen. OSError where the connection is lost."""
    host, model, tag = path_of(name)
    address = f"{'http' if insecure else 'https'}://{host}/v2/{model}"
    yield {"status": "pulling manifest"}
    with urllib.request.urlopen(f"{address}/manifests/{tag}", timeout=10) as answer:
        manifest = answer.read()
    document = json.loads(manifest)
    for layer in [*document["layers"], document["config"]]:
        yield from fetch(f"{address}/blobs/{layer['digest']}", layer)
    place = STORE / "manifests" / host / model / tag
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(manifest)
    yield {"status": "success"}


def fetch(url: str, layer: Line) -> Iterator[Line]:
    digest, size = layer["digest"], layer["size"]
    whole = STORE / "blobs" / digest.replace(":", "-")
    partial = whole.with_name(whole.name + "-partial")
    whole.parent.mkdir(parents=True, exist_ok=True)
    done = partial.stat().st_size if partial.exists() else 0
    said = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": size}
    if not whole.exists():
        asked = urllib.request.Request(url, headers={"Range": f"bytes={done}-"})
        with urllib.request.urlopen(asked, timeout=10) as answer, open(partial, "ab") as file:
            while block := answer.read1(CHUNK):
                file.write(block)
                file.flush()
                done += len(block)
                yield {**said, "completed": done}
        if done != size:
            raise OSError("unexpected EOF")
        if hashlib.sha256(partial.read_bytes()).hexdigest() != digest[7:]:
            partial.unlink()
            raise OSError("digest mismatch, file must be downloaded again")
        partial.rename(whole)
    yield {**said, "completed": size}


def tags() -> Line:
    models = []
    for path in sorted((STORE / "manifests").glob("*/*/*/*")):
        host, namespace, model, tag = path.relative_to(STORE / "manifests").parts
        prefix = "" if host == "registry.ollama.ai" else f"{host}/"
        prefix += "" if namespace == "library" and not prefix else f"{namespace}/"
        name = f"{prefix}{model}:{tag}"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        details = {"family": "llama", "parameter_size": "1M"}
        models.append({"name": name, "model": name, "digest": digest, "size": 1, "details": details})
    return {"models": models}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers = {"/api/version": {"version": "0.5.7"}, "/api/tags": tags()}
        body = json.dumps(answers.get(self.path, {})).encode()
        self._head(len(body))
        self.wfile.write(body)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._head()
        try:
            for line in pull(asked["model"], asked.get("insecure", False)) if self.path == "/api/pull" else chat(asked):
                self._line(line)
        except OSError as error:
            self._line({"error": str(error)})

    def _head(self, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _line(self, document: Line) -> None:
        self.wfile.write(json.dumps(document).encode() + b"\n")
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass


def chat(asked: Line) -> Iterator[Line]:
    for word in ("All", " is", " well."):
        yield {"model": asked["model"], "message": {"role": "assistant", "content": word}, "done": False}
    yield {"model": asked["model"], "message": {"role": "assistant", "content": ""}, "done": True, "eval_count": 3}


if __name__ == "__main__":
    if sys.argv[1:] != ["serve"]:
        sys.exit("usage: ollama serve")
    host, _, port = os.environ.get("OLLAMA_HOST", "127.0.0.1:11434").rpartition(":")
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
