"""What the tests judge: a simulated TD that answers nonces as the attester does, and a web server that hands it out."""

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from simulator import profile
from simulator.collateral import collateral
from simulator.quotes import make_quote
from simulator.serving import Answering, HttpServing
from tests.vectors import ground as vectors
from tests.vectors import nonces

NOW = 1751371200  # 2025-07-01 12:00 UTC, for everything that is judged as of a fixed time
NONCE = "jYkzjn5VHYgJbRc0s8ZfS2r0S1pQdX1yQ0c9mYd4ZkM"
INIT = "INIT sha384/" + "0" * 96
RELEASE = hashlib.sha384(b"release.json").hexdigest()
EVENTS = (
    "open-webui-tdx release " + json.dumps({"sha384": RELEASE}, separators=(",", ":")),
    'open-webui-tdx python {"environment":"e","sha384":"p","version":"3.11.7"}',
    'open-webui-tdx settings {"ENABLE_SIGNUP":"true"}',
    'open-webui-tdx model {"digest":"sha256:aa","name":"smollm2:135m"}',
    'open-webui-tdx gocryptfs {"sha384":"g","version":"2.3"}',
)


def log_of(events: Iterable[str], origin: str = "", owner: str = "") -> list[str]:
    """The lines of one launch: INIT, the events, what the site chose, and which lines are in force."""
    site = {"origin": origin, "endpoints": [], "admin_access": False} | ({"data_owner": owner} if owner else {})
    return vectors.log_of(list(events), site)


def replay(lines: list[str]) -> bytes:
    register = bytes(48)
    for line in lines:
        register = hashlib.sha384(register + hashlib.sha384(line.encode()).digest()).digest()
    return register


@dataclass
class Td:
    """A simulated TD: what it measured, and what its attester binds; `owner` is whose data it measured, "" for plain
    data."""

    events: list[str] = field(default_factory=lambda: list(EVENTS))
    bound: dict[str, Any] = field(default_factory=lambda: {"release": RELEASE})
    quote_options: dict[str, Any] = field(default_factory=dict)
    owner: str = vectors.OWNER

    def evidence(self, nonce: str) -> dict[str, Any]:
        tree = nonces.among(nonce, 3, 2)  # two others ask as well
        data = {"state": "encrypted", "owner": self.owner} if self.owner else {"state": "plain"}
        bound = {"v": 2, "nonces": nonces.bound(tree), "data": data, **self.bound}
        runtime_data = {name: value for name, value in bound.items() if value is not None}
        lines = log_of(self.events, str(self.bound.get("origin", "")), self.owner)
        rtmrs = (*profile.TD.rtmrs[:3], replay(lines))
        digest = hashlib.sha384(rfc8785.dumps(runtime_data)).digest()
        quote = make_quote(digest, rtmrs=rtmrs, **self.quote_options)
        return {
            "quote": quote.hex(),
            "tee": "tdx-simulated",
            "runtime_data": runtime_data,
            "proof": nonces.proof(2, tree),
            "event_log": "\n".join(lines) + "\n",
            "quote_parse": {},
            "timestamp": "2025-07-01T12:00:00+00:00",
            "id": "6e2f2a53-5d3c-4a5e-9d0c-1d5b6a5a0a11",
            "status": True,
        }

    def bundle(self, **changes: Any) -> dict[str, Any]:
        """A bundle as of NOW; members given replace the good ones, None drops them."""
        members = {
            "v": 1,
            "time": "2025-07-01T12:00:00Z",
            "nonce": NONCE,
            "connected": {"origin": "http://127.0.0.1:8080"},
            "evidence": self.evidence(NONCE),
            "collateral": collateral(NOW),
        } | changes
        return {key: value for key, value in members.items() if value is not None}


def platform() -> dict[str, str]:
    """The simulated platform's entry of reference values."""
    body = profile.TD
    named = {f"rtmr_{index}": body.rtmrs[index].hex() for index in range(3)}
    others = {name: getattr(body, name).hex() for name in ("mr_td", "xfam", "td_attributes", "mr_seam")}
    return named | others | {"root": "verity"}


def references(events: list[str] | None = None) -> dict[str, Any]:
    """Reference values for a stock `Td`."""
    return {"v": 2, "name": "test", "events": list(EVENTS) if events is None else events, "platforms": [platform()]}


Reply = tuple[int, dict[str, str], bytes]
Misbehaviour = Callable[[Answering, threading.Event], None]


class Site(HttpServing):
    """A web server that answers as upstream's backend does: evidence, collateral, files. `broken` takes over paths."""

    def __init__(self, td: Td, tls: "Certificate | None" = None, files: dict[str, bytes] | None = None) -> None:
        self.td, self.files = td, files or {}
        self.broken: dict[str, Misbehaviour] = {}
        self.collateral: Callable[[], Any] = collateral
        self.boot_log: Any = None  # a machine without one
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.stopping = threading.Event()
        super().__init__(0, self._handler())
        self.scheme, self.host = "http", "127.0.0.1"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.path)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.scheme, self.host = "https", tls.host

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self._server.server_address[1]}"

    def reply(self, target: str) -> Reply:
        parts = urlsplit(target)
        kind = {"Content-Type": "application/json"}
        if parts.path == "/api/v1/tee/quote":
            nonce = parse_qs(parts.query)["nonce"][0]
            return 200, kind, json.dumps(self.td.evidence(nonce)).encode()
        if parts.path == "/api/v1/tee/collateral":
            return 200, kind, json.dumps(self.collateral()).encode()
        if parts.path == "/api/v1/tee/boot-log" and self.boot_log is not None:
            return 200, kind, json.dumps({"boot_log": self.boot_log}).encode()
        if parts.path in self.files:
            return 200, {}, self.files[parts.path]
        return 404, {}, b"not found"

    def _handler(self) -> type[Answering]:
        site = self

        class Handler(Answering):
            def do_GET(self) -> None:
                site.requests.append(self.path)
                site.headers.append(dict(self.headers))
                broken = site.broken.get(urlsplit(self.path).path)
                if broken:
                    broken(self, site.stopping)
                    return
                status, headers, body = site.reply(self.path)
                self.answer(status, body, headers)

        return Handler

    def stop(self) -> None:
        self.stopping.set()
        super().stop()


def hang(handler: Answering, stopping: threading.Event) -> None:
    stopping.wait()


def drip(handler: Answering, stopping: threading.Event) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while not stopping.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        return


def endless(handler: Answering, stopping: threading.Event) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while not stopping.is_set():
            handler.wfile.write(b"[" * 65536)
    except OSError:
        return


def redirect(handler: Answering, stopping: threading.Event) -> None:
    handler.answer(302, b"", {"Location": "https://elsewhere.example/"})


def answering(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Misbehaviour:
    return lambda handler, stopping: handler.answer(status, body, headers)


@dataclass(frozen=True)
class Certificate:
    """A self-signed TLS certificate for `host`, with its key in the same PEM file."""

    host: str
    path: Path
    spki: str


def make_certificate(folder: Path, host: str = "localhost", signer: str = "") -> Certificate:
    """A self-signed certificate for `host`; one with another `signer` can be believed beside the first."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, signer or host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / f"{host}.pem"
    path.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()) + certificate.public_bytes(pem))
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Certificate(host, path, hashlib.sha256(der).hexdigest())


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """The block must end in time: nothing may hang."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds
