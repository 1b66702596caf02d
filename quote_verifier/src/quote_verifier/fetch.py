"""HTTP as a verifier needs it: one answer, bounded in time and size, no redirects, and the TLS key that gave it.

Certificates are verified as usual (CA bundle, host name). Plain http is fetched too: whether it is good enough is for
`binding.channel` to say. The time limit is kept from outside, in a thread, because a server that drips bytes or a slow
name server would outlive any socket timeout.
"""

import hashlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from .address import origin_of
from .errors import Malformed, Unreachable

DEADLINE_S = 20.0
CONNECT_S = 10.0
MAX_BODY = 4 * 1024 * 1024
ENCODINGS = ("identity", "gzip", "deflate")
CHUNK = 64 * 1024
_PLAIN: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "nothing is listening there; is the service running, and is the port right?"),
    (socket.gaierror, "there is no such host; is the name right?"),
    (ConnectionResetError, "it closed the connection"),
)
# What the page's own requests carry in a common browser, and the same for every address: a server that reads headers
# must not be able to show auditors something else. (What TLS itself looks like still tells them apart.)
HEADERS = {
    "User-Agent": (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36"
    ),
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Language": "en-US,en;q=0.9",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}


@dataclass(frozen=True)
class Answer:
    """A complete answer. `spki`: SHA-256 of the server's SubjectPublicKeyInfo (hex), `None` without TLS."""

    status: int
    headers: dict[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)
    spki: str | None


def spki_sha256(certificate_der: bytes) -> str:
    """SHA-256 (hex) over the DER SubjectPublicKeyInfo of a certificate: what `tls_spki_sha256` binds."""
    key = x509.load_der_x509_certificate(certificate_der).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


class _Adapter(HTTPAdapter):
    """Remembers the certificate that the last TLS connection of this adapter was made with."""

    certificate: bytes | None = None

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if isinstance(pool, HTTPSConnectionPool):
            adapter = self

            class Connection(HTTPSConnection):
                def connect(self) -> None:
                    super().connect()
                    connected: Any = self.sock
                    adapter.certificate = connected.getpeercert(True)

            pool.ConnectionCls = Connection
        return pool


class Fetcher:
    """A client for one judgement at a time. `ca_file`: PEM file of CAs to trust instead of the usual ones; `unchecked`:
    an origin whose certificate nobody has to vouch for, since what is sent there is sealed whoever ends TLS."""

    def __init__(self, ca_file: str | None = None, deadline_s: float = DEADLINE_S, unchecked: str = "") -> None:
        self.ca_file, self.deadline_s, self.unchecked = ca_file, deadline_s, unchecked
        self._keys: dict[str, set[str]] = {}

    def keys(self, origin: str) -> frozenset[str]:
        """Every TLS key (as in `Answer.spki`) that connections to `origin` were ended with since `forget`."""
        return frozenset(self._keys.get(origin, ()))

    def forget(self) -> None:
        """Begin another judgement: a service may have another key by now."""
        self._keys.clear()

    def get(self, url: str, max_body: int = MAX_BODY) -> Answer:
        """GET `url`. Raises `Unreachable`: no answer in time, too large, a redirect, an untrusted certificate."""
        return self._within_deadline(url, lambda: self._send("GET", url, None, max_body))

    def post_json(self, url: str, body: bytes, max_body: int = MAX_BODY) -> Answer:
        """POST a JSON `body`. Raises like `get`."""
        return self.post(url, body, "application/json", max_body)

    def post(self, url: str, body: bytes, kind: str, max_body: int = MAX_BODY) -> Answer:
        """POST a `body` of that media type. Raises like `get`."""
        return self._within_deadline(url, lambda: self._send("POST", url, body, max_body, kind))

    def _within_deadline(self, url: str, send: Callable[[], Answer]) -> Answer:
        outcome: list[Answer | BaseException] = []

        def run() -> None:
            try:
                outcome.append(send())
            except BaseException as error:  # handed to the waiting thread
                outcome.append(error)

        worker = threading.Thread(target=run, daemon=True)
        worker.start()
        worker.join(self.deadline_s)
        if not outcome:
            raise Unreachable(f"{_shown(url)} did not answer completely within {self.deadline_s:g} s")
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def _send(self, method: str, url: str, body: bytes | None, max_body: int, kind: str = "") -> Answer:
        headers = HEADERS | {"Content-Type": kind} if kind else HEADERS
        adapter = _Adapter()
        try:
            with requests.Session() as session:
                session.mount("https://", adapter)
                timeout = (min(CONNECT_S, self.deadline_s), self.deadline_s)
                # verify goes with the request: a bundle named by the environment would win over the session's
                checked = not self.unchecked or origin_of(_shown(url)) != self.unchecked
                with session.request(
                    method,
                    url,
                    data=body,
                    headers=headers,
                    timeout=timeout,
                    stream=True,
                    allow_redirects=False,
                    verify=self.ca_file if checked else False,
                ) as response:
                    return self._read(url, response, adapter, max_body)
        except requests.exceptions.SSLError as error:
            raise Unreachable(
                f"{url} has no certificate that is trusted here ({_cause(error)}); see --ca-file"
            ) from None
        except (requests.RequestException, HTTPError, OSError, UnicodeError, ValueError) as error:
            raise Unreachable(f"{_shown(url)} cannot be reached: {_cause(error)}") from None

    def _read(self, url: str, response: requests.Response, adapter: _Adapter, max_body: int) -> Answer:
        if response.is_redirect or 300 <= response.status_code < 400:
            target = response.headers.get("Location", "nowhere")[:200]
            raise Unreachable(f"{url} redirects to {target!r}; name that address if it is the right one")
        body = bytearray()
        for chunk in response.raw.stream(CHUNK, decode_content=True):
            body += chunk
            if len(body) > max_body:
                raise Unreachable(f"{url} sends more than {max_body} bytes")
        if response.headers.get("Content-Encoding", "identity").lower() not in ENCODINGS:
            raise Unreachable(f"{url} answers in an encoding that was not asked for")
        spki = spki_sha256(adapter.certificate) if adapter.certificate else None
        if spki:
            self._keys.setdefault(origin_of(_shown(url)), set()).add(spki)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(body), spki)


def _cause(error: BaseException) -> str:
    """The innermost reason, on one line."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or inner is error:
            return _plain(error)
        error = inner


def _plain(error: BaseException) -> str:
    """A system's error in words, without its number."""
    for kind, words in _PLAIN:
        if isinstance(error, kind):
            return words
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split())[:200] or type(error).__name__


def _shown(url: str) -> str:
    """An address as errors name it: without its query, which nobody typed."""
    return url.partition("?")[0]


def require_ok(answer: Answer, url: str) -> bytes:
    """The body of a 200. Raises `Unreachable` with the status and the start of what was said instead."""
    if answer.status != 200:
        said = " ".join(answer.body[:200].decode("utf-8", "replace").split())
        raise Unreachable(f"{url} answered HTTP {answer.status}: {said!r}")
    return answer.body


def join_url(base: str, path: str) -> str:
    """`path` below the URL `base`, whatever slash it ends with. Raises `Malformed` if `base` has a query."""
    if "?" in base or "#" in base:
        raise Malformed(f"{base!r} has a query or fragment")
    return base.rstrip("/") + path
