"""A stand-in for the registry of Ollama's models: manifests, and blobs with ranges; it can cut them off."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from simulator.serving import Answering, HttpServing

NAME = "library/tiny"


class Registry(HttpServing):
    """On 127.0.0.1 with one model `library/tiny:latest` of `weights`.

    `cut_after`: each answer with a blob is cut after so many bytes (0: none is). `lost`: every later one before its
    first byte. `requests`: paths and ranges so far. `host`: under which it is known.
    """

    def __init__(self, weights: bytes, port: int = 0) -> None:
        self.blobs = {hashlib.sha256(blob).hexdigest(): blob for blob in (weights, b"{{ .Prompt }}", b"{}")}
        layers = [self._layer(weights, "model"), self._layer(b"{{ .Prompt }}", "template")]
        self.document: dict[str, Any] = {"schemaVersion": 2, "config": self._layer(b"{}", "config"), "layers": layers}
        self.manifest = json.dumps(self.document).encode()
        self.cut_after = 0
        self.lost = False
        self.requests: list[str] = []
        super().__init__(port, type("Handler", (_Handler,), {"registry": self}))
        self.host = self.url.removeprefix("http://")

    @staticmethod
    def _layer(blob: bytes, kind: str) -> dict[str, Any]:
        media = f"application/vnd.ollama.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}

    @property
    def model(self) -> str:
        """The name under which Ollama fetches the model from here."""
        return f"{self.host}/{NAME}:latest"


class _Handler(Answering):
    registry: Registry

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.registry.requests.append(f"{self.path} {wanted}".strip())
        if self.path in (f"/v2/{NAME}/manifests/{tag}" for tag in ("latest", "large")):
            self._answer(200, self.registry.manifest)
            return
        blob = self.registry.blobs.get(self.path.rpartition("sha256:")[2])
        if blob is None:
            self._answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
            return
        if self.registry.lost and any("bytes=" in line for line in self.registry.requests[:-1]):
            self.close_connection = True
            return
        begin = re.fullmatch(r"bytes=(\d+)-", wanted)
        self._answer(206 if begin else 200, blob[int(begin[1]) :] if begin else blob, self.registry.cut_after)

    def _answer(self, status: int, body: bytes, cut_after: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut_after] if cut_after else body)
        if cut_after and cut_after < len(body):
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
