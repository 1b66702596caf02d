"""The stand-ins' HTTP side: what each service answers to a request, and how it can misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import rfc8785

from simulator.serving import HttpServing

from .tokens import FAULTS, jwks, make_token

MAX_REQUEST = 4 * 1024 * 1024
CHUNK = b"x" * 65536


class BadRequest(Exception):
    """The request is not one that the service understands."""


class StandIn(HttpServing):
    """A service on 127.0.0.1, in a thread between `start` and `stop`, or inside a `with`.

    `service`: "alibaba" or "trustee". `shape`: "new" (Trustee v0.14 and later) or "old"; each refuses the other's
    requests. `fault`: one of `FAULTS`. `now`: its clock (Unix seconds), by default the real one. `cors`: whether
    pages may read its answers (a Trustee: only with --allowed_origin). `requests`: so far.
    """

    def __init__(
        self,
        service: str,
        *,
        port: int = 0,
        shape: str = "new",
        fault: str | None = None,
        now: int | None = None,
        cors: bool = True,
    ) -> None:
        if service not in ("alibaba", "trustee") or shape not in ("old", "new"):
            raise ValueError(f"no stand-in is called {service!r} with shape {shape!r}")
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"no fault is called {fault!r}; known: {', '.join(FAULTS)}")
        self.service, self.shape, self.fault, self.cors, self._now = service, shape, fault, cors, now
        self.requests: list[dict[str, Any]] = []
        self.stopping = threading.Event()
        super().__init__(port, type("Handler", (_Handler,), {"standin": self}))

    @property
    def keys(self) -> dict[str, Any]:
        """The JWKS a relying party should hold for it."""
        return jwks(self.service)

    def stop(self) -> None:
        self.stopping.set()
        super().stop()

    def token_for(self, body: bytes) -> str:
        """The token that answers an attestation request. Raises `BadRequest`."""
        try:
            request = json.loads(body)
            if not isinstance(request["policy_ids"], list):
                raise BadRequest("policy_ids must be a list")
            self.requests.append(request)
            wanted = self._request(request)
            evidence = json.loads(_unpad(wanted["evidence"]))
            quote = base64.b64decode(evidence["quote"], validate=True)
            self._check_runtime_data(wanted.get("runtime_data"), quote)
        except (KeyError, TypeError, ValueError) as error:
            raise BadRequest(f"cannot read the request: {error}") from None
        now = int(time.time()) if self._now is None else self._now
        return make_token(self.service, quote, origin=self.url, now=now, shape=self.shape, fault=self.fault)

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.service == "trustee" and self.shape == "new":
            (request,) = request["verification_requests"]
        elif "verification_requests" in request:
            raise BadRequest("unknown field verification_requests")
        if request["tee"] != "tdx":
            raise BadRequest("tee must be tdx")
        return request

    def _check_runtime_data(self, runtime_data: Any, quote: bytes) -> None:
        if runtime_data is None or "structured" not in runtime_data:
            return
        expected = hashlib.sha384(rfc8785.dumps(runtime_data["structured"])).digest() + bytes(16)
        offset = 48 if quote[0] == 4 else 54
        if quote[offset + 520 : offset + 584] != expected:
            raise BadRequest("report data does not match runtime_data")


def _unpad(text: str) -> bytes:
    if "=" in text:
        raise BadRequest("evidence must be base64url without padding")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


class _Handler(BaseHTTPRequestHandler):
    standin: StandIn
    """Whose requests these are: a subclass for each stand-in has it."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def reply(self, status: int, body: bytes, content_type: str = "text/plain", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.standin.cors:
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Headers", "content-type")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_OPTIONS(self) -> None:
        self.reply(204, b"")

    def do_GET(self) -> None:
        keys = json.dumps(self.standin.keys).encode()
        discovery = {
            "issuer": self.standin.url,
            "jwks_uri": f"{self.standin.url}/jwks.json",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        served = {
            "alibaba": {"/.well-known/openid-configuration": json.dumps(discovery).encode(), "/jwks.json": keys},
            "trustee": {"/.well-known/jwks.json": keys} if self.standin.shape == "new" else {},
        }[self.standin.service]
        if self.standin.fault == "no-jwks" or self.path not in served:
            self.reply(404, b"not found")
        else:
            self.reply(200, served[self.path], "application/json")

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(size, MAX_REQUEST))
        path = {"alibaba": "/v1/attestation", "trustee": "/attestation"}[self.standin.service]
        if self.path == "/challenge" and self.standin.service == "trustee":
            self.reply(200, b"")
        elif self.path != path:
            self.reply(404, b"not found")
        elif not self.misbehave():
            try:
                self.reply(200, self.standin.token_for(body).encode())
            except BadRequest as error:
                self.reply(500, str(error).encode())

    def misbehave(self) -> bool:
        match self.standin.fault:
            case "error-500":
                self.reply(500, b"verifier error")
            case "hang":
                self.standin.stopping.wait()
                self.close_connection = True
            case "garbage":
                self.reply(200, b"\x00\xff not a token")
            case "redirect":
                self.reply(302, b"", Location="https://elsewhere.example/v1/attestation")
            case "endless" | "drip":
                self.send_response(200)
                self.end_headers()
                self.close_connection = True
                self.pour()
            case _:
                return False
        return True

    def pour(self) -> None:
        drip = self.standin.fault == "drip"
        try:
            while not self.standin.stopping.wait(1 if drip else 0):
                self.wfile.write(CHUNK[:1] if drip else CHUNK)
        except OSError:
            return
