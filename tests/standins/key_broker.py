"""In the place of a Trustee's Key Broker Service, protocol 0.4.0.

It asks for what that asks for, refuses what it refuses, in its words (kbs/src of confidential-containers/trustee, as of
August 2026), and seals by another library than the door's.

What it does not do: its policies are Python instead of Rego, and its token is no token.
"""

import base64
import hashlib
import json
import ssl
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import rfc8785
from jwcrypto import jwe, jwk
from quote_verifier.collateral import parse_collateral
from quote_verifier.errors import VerifierError
from quote_verifier.genuine import verify_quote
from quote_verifier.quote import parse_quote

from simulator.collateral import collateral
from simulator.serving import Answering, HttpServing

from .tokens import read_quote

VERSION = "0.4.0"
COOKIE = "kbs-session-id"
TYPE = "https://github.com/confidential-containers/kbs/errors/"
ATTESTATION = "Attestation error: RCAR handshake "
PREFIX = "/kbs/v0/"
MINUTES = 5  # a session lasts

Claims = dict[str, Any]


class Refused(Exception):
    """An error as a broker answers it: the last part of its type, its words, its status."""

    def __init__(self, kind: str, detail: str, status: int = 401) -> None:
        super().__init__(detail)
        self.kind, self.status = kind, status


@dataclass
class Session:
    """One handshake."""

    nonce: str
    ends: float
    claims: Claims | None = None


def measured(claims: Claims) -> dict[str, str]:
    """A quote's body, as Trustee names what is in it."""
    body: dict[str, str] = claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]["tdx"]["quote"]["body"]
    return body


@dataclass
class KeyBroker:
    """`resources`: path to content; `policy` decides of a token's claims and a resource's path. `clock`: Unix seconds.
    `asked`: method and path of every request."""

    resources: dict[str, bytes] = field(default_factory=dict)
    policy: Callable[[Claims, str], bool] = lambda claims, path: True
    version: str = VERSION
    clock: Callable[[], float] = time.time
    sessions: dict[str, Session] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)

    def auth(self, body: bytes) -> tuple[dict[str, Any], str]:
        """The challenge, and the session's name."""
        try:
            request = json.loads(body)
            version, tee, _ = str(request["version"]), request["tee"], request["extra-params"]
        except (ValueError, KeyError, TypeError):
            raise Refused("AttestationError", f"{ATTESTATION}Auth failed: deserialize Request") from None
        if version != self.version:
            said = f"KBS Client Protocol Version Mismatch: expect ={self.version} while the request is {version}"
            raise Refused("AttestationError", f"{ATTESTATION}Auth failed: {said}")
        if tee != "tdx":
            raise Refused("AttestationError", f"{ATTESTATION}Auth failed: deserialize Request")
        name = uuid.uuid4().hex
        nonce = base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
        self.sessions[name] = Session(nonce, self.clock() + 60 * MINUTES)
        return {"nonce": nonce, "extra-params": ""}, name

    def attest(self, body: bytes, name: str) -> dict[str, str]:
        """What stands in the place of a token."""
        failed = Refused("AttestationError", f"{ATTESTATION}Attest failed")
        session = self._session(name)
        if session is None:
            raise failed
        if session.claims is None:
            try:
                session.claims = self._claims(json.loads(body), session.nonce)
            except (ValueError, KeyError, TypeError, VerifierError):
                raise failed from None
        return {"token": base64.urlsafe_b64encode(json.dumps(session.claims).encode()).decode().rstrip("=")}

    def _claims(self, request: dict[str, Any], nonce: str) -> Claims:
        """Raises ValueError, KeyError, TypeError, VerifierError: the evidence is refused."""
        given = request["runtime-data"]
        if given["nonce"] != nonce:
            raise ValueError("the nonce in the handshake session is different")
        public = {name: str(given["tee-pubkey"][name]) for name in ("kty", "alg", "crv", "x", "y")}
        more = request["tee-evidence"]["additional_evidence"]
        if more != "":
            raise ValueError("no devices are known here")
        primary = request["tee-evidence"]["primary_evidence"]
        if primary.get("cc_eventlog"):
            raise ValueError("no log is read here")
        raw = base64.b64decode(primary["quote"], validate=True)
        quote, now = parse_quote(raw), int(self.clock())
        verify_quote(quote, parse_collateral(collateral(now)), now)
        fields = read_quote(raw)
        runtime_data = {"tee-pubkey": public, "nonce": nonce, "additional-evidence": more}
        expected = hashlib.sha384(rfc8785.dumps(runtime_data)).digest() + bytes(16)
        if fields["body.report_data"] != expected.hex():
            raise ValueError("REPORT_DATA is different from that in TDX Quote")
        self.evidence.append(request)
        body = {name.partition(".")[2]: value for name, value in fields.items() if name.startswith("body.")}
        annotated = {"tdx": {"quote": {"body": body}}, "runtime_data_claims": runtime_data}
        return {"submods": {"cpu0": {"ear.veraison.annotated-evidence": annotated}}}

    def resource(self, path: str, name: str) -> dict[str, str]:
        """What is kept there, sealed."""
        session = self._session(name)
        if session is None or session.claims is None:
            raise Refused("TokenNotFound", "Attestation Token not found")
        if not self.policy(session.claims, path):
            raise Refused("PolicyDeny", "Access denied by policy")
        if path not in self.resources:
            raise Refused("PluginInternalError", "Plugin internal error")
        annotated = session.claims["submods"]["cpu0"]["ear.veraison.annotated-evidence"]
        return seal(self.resources[path], annotated["runtime_data_claims"]["tee-pubkey"])

    def _session(self, name: str) -> Session | None:
        found = self.sessions.get(name)
        return found if found and found.ends >= self.clock() else None

    def answer(self, method: str, path: str, body: bytes, cookie: str) -> tuple[dict[str, Any], str]:
        """The answer's object, and the session whose cookie goes with it. Raises Refused."""
        self.asked.append((method, path))
        plugin, _, rest = path.removeprefix(PREFIX).partition("/")
        if not path.startswith(PREFIX):
            raise Refused("", "", 404)
        if (method, plugin) == ("POST", "auth"):
            return self.auth(body)
        if (method, plugin) == ("POST", "attest"):
            return self.attest(body, cookie), cookie
        if (method, plugin) == ("GET", "resource"):
            return self.resource(rest, cookie), ""
        raise Refused("PluginNotFound", f"Plugin {plugin} not found", 404)


def seal(content: bytes, public: dict[str, str]) -> dict[str, str]:
    """A JWE in its flattened JSON serialization, with a protected header alone."""
    sealed = jwe.JWE(content, json.dumps({"alg": public["alg"], "enc": "A256GCM"}), recipient=jwk.JWK(**public))
    names = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
    return dict(zip(names, sealed.serialize(compact=True).split("."), strict=True))


class ServingBroker(HttpServing):
    """`broker` on 127.0.0.1, inside a `with`; `tls`: a PEM file with a key and its certificate."""

    def __init__(self, broker: KeyBroker, port: int = 0, tls: Path | None = None) -> None:
        self.broker = broker
        super().__init__(port, type("Handler", (_Handler,), {"broker": broker}))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])


class _Handler(Answering):
    broker: KeyBroker

    def _reply(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        headers = {"Content-Type": "application/json"}
        try:
            content, name = self.broker.answer(method, self.path, body, found.value if found else "")
        except Refused as error:
            self.answer(error.status, json.dumps({"type": TYPE + error.kind, "detail": str(error)}).encode())
            return
        if name:
            ends = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self.broker.sessions[name].ends))
            headers["Set-Cookie"] = f"{COOKIE}={name}; Expires={ends}"
        self.answer(200, json.dumps(content).encode(), headers)

    def do_GET(self) -> None:
        self._reply("GET")

    def do_POST(self) -> None:
        self._reply("POST")
