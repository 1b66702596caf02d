"""What the web server may ask of Ollama: what Ollama answers by itself, with models that were measured.

An Ollama outside the fence has the network: told to fetch or to publish a model, or to ask one that is only a name for
a service elsewhere, it would carry words out of the machine. So calls are listed here, a body is read whole, and the
model that it names must be a measured one. What goes on is written anew: no header of the client's, one request.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import LauncherError
from ..measure import model_store
from .refusals import Refusal

ASKED = ("/", "/api/version", "/api/tags", "/api/ps", "/v1/models")
TOLD = (
    "/api/show", "/api/chat", "/api/generate", "/api/embed", "/api/embeddings",
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings",
)  # fmt: skip
HEAD_LIMIT = 64 * 1024  # bytes
BODY_LIMIT = 256 * 1024 * 1024  # bytes: pictures go as text in JSON
HEAD_S = 30.0
PIECE = 1 << 20


@dataclass(frozen=True)
class Call:
    """A request that may be passed on."""

    method: str
    path: str
    body: bytes

    def bytes(self, host: str) -> bytes:
        """As it goes to Ollama at `host`."""
        head = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        if self.method == "POST":
            head += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*head, "", ""]).encode() + self.body


def read(client: socket.socket, prefix: str, models: Callable[[], frozenset[str]]) -> Call | None:
    """The one request of a connection; None where nothing is asked. `prefix` goes before Ollama's own paths.

    Raises Refusal for what may not be passed on, OSError where the client says nothing or ends early.
    """
    client.settimeout(HEAD_S)
    received = b""
    while b"\r\n\r\n" not in received:
        if len(received) > HEAD_LIMIT:
            raise Refusal("431 Request Header Fields Too Large", f"A head has at most {HEAD_LIMIT} bytes.")
        piece = client.recv(65536)
        if not piece:
            return None
        received += piece
    head, _, begun = received.partition(b"\r\n\r\n")
    method, path, length = judge_head(head, prefix)
    body = bytearray(begun[:length])
    while len(body) < length:
        piece = client.recv(min(PIECE, length - len(body)))
        if not piece:
            return None
        body += piece
    client.settimeout(None)
    if method == "POST":
        judge_body(bytes(body), models())
    return Call(method, path, bytes(body))


def judge_head(head: bytes, prefix: str) -> tuple[str, str, int]:
    """Method, path and the body's length in bytes. Raises Refusal."""
    first, *fields = head.split(b"\r\n")
    try:
        method, path, version = first.decode("ascii").split(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise ValueError
        length = _length([field.decode("latin-1") for field in fields])
    except ValueError:
        raise Refusal("400 Bad Request", "This is no request of HTTP/1.1 with the length of its body.") from None
    if length > BODY_LIMIT:
        raise Refusal("413 Content Too Large", f"A request has at most {BODY_LIMIT >> 20} MiB.")
    known = {"GET": ASKED, "HEAD": ASKED, "POST": TOLD}.get(method, ())
    if path not in [f"{prefix}{each}" for each in known] or (method != "POST" and length):
        raise Refusal(
            "403 Forbidden",
            f"{method[:20]} {path[:200]} is nothing that a service asks of its Ollama: only what it answers by itself. "
            "Models are fetched with open-webui-tdx pull-model, on the machine.",
        )
    return method, path, length


def _length(fields: list[str]) -> int:
    """Raises ValueError where the head does not say one length in digits."""
    found = set()
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon or not name or name != name.strip() or name.lower() == "transfer-encoding":
            raise ValueError
        if name.lower() == "content-length":
            found.add(value.strip())
    if len(found) > 1 or not all(value.isascii() and value.isdecimal() and len(value) < 16 for value in found):
        raise ValueError
    return int(found.pop()) if found else 0


def judge_body(body: bytes, models: frozenset[str]) -> None:
    """Raises Refusal unless `body` is one JSON object that names a measured model, in a way that has one meaning."""
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_object)
        if not isinstance(found, dict):
            raise ValueError
        named = {key: value for key, value in found.items() if key.casefold() in ("model", "name")}
        if not named or not named.keys() <= {"model", "name"} or not all(isinstance(v, str) for v in named.values()):
            raise ValueError
    except (ValueError, RecursionError):
        raise Refusal("400 Bad Request", "The request is no JSON object that names one model.") from None
    for name in filter(None, named.values()):
        try:
            known = model_store.canonical(name) in models
        except LauncherError:
            known = False
        if not known:
            raise Refusal(
                "403 Forbidden",
                f"The model {name[:200]} was not measured, so nothing is sent to it: its operator can add it with "
                "measure-model.",
            )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError for a name that is there twice: programs differ in which of the two they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
