"""Stands in for a model server and whatever else listens inside: answers with what it was asked, and counts visits."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

MODELS = ("open-model", "closed-model")
#: Where it stands in for a provider of sign-ins (OpenID Connect Discovery 1.0): a code is good, and its bearer's name.
PROVIDER = "/oidc"
PICTURE = "/picture-inside"
SLOW = "take your time"
SECRET = "what only machines inside may read"


def embedding(text: str) -> list[float]:
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def provide(inside: str, path: str, authorization: str) -> bytes:
    """The provider's description, or who brings a token: somebody whose picture lies at `inside`."""
    url = f"{inside}{PROVIDER}"
    if path != f"{PROVIDER}/userinfo":
        ways = {name: f"{url}/{name.partition('_')[0]}" for name in ("token_endpoint", "userinfo_endpoint", "jwks_uri")}
        return json.dumps({"issuer": url, "authorization_endpoint": f"{url}/authorize", **ways}).encode()
    name = authorization.removeprefix("Bearer ")
    return json.dumps({"sub": name, "email": f"{name}@example.com", "name": name, "picture": inside + PICTURE}).encode()


def token(form: bytes) -> bytes:
    """The provider's token for a code (RFC 6749 section 5.1): the code itself."""
    code = parse_qs(form.decode())["code"][0]
    return json.dumps({"access_token": code, "token_type": "Bearer", "expires_in": 3600}).encode()


def stream(handler: BaseHTTPRequestHandler, chunk: dict[str, Any], wait: threading.Event | None) -> None:
    """A streamed answer of one chunk, whose end waits for `wait`."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
    if wait is not None:
        wait.wait(60)
    handler.wfile.write(b"data: [DONE]\n\n")


class Standin:
    """`paths`: what was asked for, in order. `prompts`: the bodies of chats."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.prompts: list[dict[str, Any]] = []
        self.go_on = threading.Event()  # an answer to SLOW waits for it after its first words
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def answer(self, body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                standin.paths.append(self.path)
                if self.path == "/v1/models":
                    models = [{"id": name, "object": "model", "owned_by": "openai"} for name in MODELS]
                    self.answer(json.dumps({"object": "list", "data": models}).encode())
                elif self.path.startswith(PROVIDER):
                    self.answer(provide(standin.url, self.path, self.headers["Authorization"] or ""))
                elif self.path.startswith("/redirect?"):
                    self.answer(b"", status=302, Location=self.path.partition("?")[2])
                else:
                    self.answer(f"<html><body>{SECRET}</body></html>".encode(), "text/html")

            def do_POST(self) -> None:
                standin.paths.append(self.path)
                if self.path == f"{PROVIDER}/token":
                    self.answer(token(self.rfile.read(int(self.headers["Content-Length"]))))
                    return
                asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                if self.path.endswith("/embeddings"):
                    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
                    found = [{"index": index, "embedding": embedding(text)} for index, text in enumerate(texts)]
                    self.answer(json.dumps({"object": "list", "data": found}).encode())
                elif self.path.endswith("/chat/completions"):
                    standin.prompts.append(asked)
                    self.chat(asked)
                else:
                    self.answer(b"{}")

            def chat(self, asked: dict[str, Any]) -> None:
                said = json.dumps(asked["messages"])  # the answer holds all that the model was told
                shape = {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"]}
                if not asked.get("stream"):
                    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
                    self.answer(json.dumps({**shape, "choices": [choice]}).encode())
                    return
                chunk = {**shape, "choices": [{"index": 0, "delta": {"content": said}, "finish_reason": None}]}
                stream(self, chunk, standin.go_on if SLOW in said else None)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
