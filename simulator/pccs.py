"""A small PCCS stand-in: serves the simulated platform's collateral on 127.0.0.1 over the PCS API version 4's paths.

    /sgx/certification/v4/pckcrl?ca=platform[&encoding=der]   hex, or DER when asked for
    /sgx/certification/v4/rootcacrl                           hex, as a PCCS serves it
    /tdx/certification/v4/tcb?fmspc=53494D000000              {"tcbInfo": ..., "signature": hex}
    /tdx/certification/v4/qe/identity                         {"enclaveIdentity": ..., "signature": hex}
    /sgx/certification/v4/qe/identity                         the same for the SGX QE

Issuer chains travel in Intel's response headers, PEM percent-encoded. Anything else is answered
404, a bad parameter 400.
"""

import datetime as dt
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import FrameType
from typing import NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from . import profile
from .collateral import collateral
from .faults.collateral import FAULTS
from .files import replace
from .serving import Answering, HttpServing

RENEW_AFTER = dt.timedelta(hours=1)  # signs again after that, so that a long-lived server's answers never expire


class Answer(NamedTuple):
    """An HTTP answer; `chain` is the header that carries the issuer chain, and the PEM."""

    status: int
    content_type: str
    body: bytes
    chain: tuple[str, str] | None = None


def _refuse(status: int, why: str) -> Answer:
    return Answer(status, "text/plain", why.encode())


class Pccs(HttpServing):
    """The server, running in a thread of its own between `start` and `stop`, or inside a `with`.

    `port`: 0 takes any free one. `fault`: a collateral fault for everything served; ValueError if unknown.
    `now`: serve as of that time (time zone aware) instead of the clock's. `requests`: paths asked for so far.
    """

    def __init__(self, port: int = 0, *, fault: str | None = None, now: dt.datetime | None = None) -> None:
        if fault is not None:
            FAULTS.find(fault)
        self.fault = fault
        self.requests: list[str] = []
        self._now = now
        self._lock = threading.Lock()
        self._made: tuple[dt.datetime, dict[str, str]] | None = None
        super().__init__(port, _handler(self))

    def collateral(self) -> dict[str, str]:
        """The collateral being served."""
        with self._lock:
            now = self._now or dt.datetime.now(dt.UTC)
            if self._made is None or now - self._made[0] > RENEW_AFTER:
                self._made = now, collateral(now, fault=self.fault)
            return self._made[1]

    def answer(self, target: str) -> Answer:
        """The answer to a GET of that target."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/sgx/certification/v4/pckcrl":
                return self._pck_crl(query)
            case "/sgx/certification/v4/rootcacrl":
                return Answer(200, "text/plain", self.collateral()["root_ca_crl"].encode())
            case "/tdx/certification/v4/tcb":
                return self._tcb_info(query)
            case "/tdx/certification/v4/qe/identity":
                return self._signed(
                    self.collateral(), "qe_identity", "enclaveIdentity", "SGX-Enclave-Identity-Issuer-Chain"
                )
            case "/sgx/certification/v4/qe/identity":
                made = collateral(self._now, fault="sgx-qe-identity")
                return self._signed(made, "qe_identity", "enclaveIdentity", "SGX-Enclave-Identity-Issuer-Chain")
        return _refuse(404, f"the simulated PCCS does not serve {parts.path}\n")

    def _pck_crl(self, query: dict[str, str]) -> Answer:
        ca, encoding = query.get("ca", ""), query.get("encoding", "hex")
        if ca not in ("platform", "processor") or encoding not in ("der", "hex"):
            return _refuse(400, "pckcrl needs ca=platform, and encoding=der or none\n")
        if ca == "processor":
            return _refuse(404, "the simulated platform has no processor CA\n")
        made = self.collateral()
        chain = ("SGX-PCK-CRL-Issuer-Chain", made["pck_crl_issuer_chain"])
        if encoding == "der":
            return Answer(200, "application/pkix-crl", bytes.fromhex(made["pck_crl"]), chain)
        return Answer(200, "text/plain", made["pck_crl"].encode(), chain)

    def _tcb_info(self, query: dict[str, str]) -> Answer:
        fmspc = query.get("fmspc", "").upper()
        if len(fmspc) != 12 or set(fmspc) - set("0123456789ABCDEF"):
            return _refuse(400, "tcb needs fmspc, 12 hexadecimal digits\n")
        if fmspc != profile.FMSPC.hex().upper():
            return _refuse(404, f"no TCB info for the platform model {fmspc}\n")
        return self._signed(self.collateral(), "tcb_info", "tcbInfo", "TCB-Info-Issuer-Chain")

    @staticmethod
    def _signed(made: dict[str, str], name: str, member: str, header: str) -> Answer:
        body = f'{{"{member}":{made[name]},"signature":"{made[f"{name}_signature"]}"}}'
        return Answer(200, "application/json", body.encode(), (header, made[f"{name}_issuer_chain"]))


def _handler(pccs: Pccs) -> type[BaseHTTPRequestHandler]:
    class Handler(Answering):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            pccs.requests.append(self.path)
            answer = pccs.answer(self.path)
            chain = {answer.chain[0]: quote(answer.chain[1], safe="")} if answer.chain else {}
            self.answer(answer.status, answer.body, {"Content-Type": answer.content_type, **chain})

    return Handler


def serve(port: int, *, fault: str | None = None, ready_file: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Prints the URL, and writes it whole to `ready_file` once the server listens."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        pccs = Pccs(port, fault=fault)
    except OSError as error:
        raise ValueError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from None
    with pccs:
        print(pccs.url, flush=True)
        if ready_file:
            replace(ready_file, f"{pccs.url}\n".encode())
        stopped.wait()
    sys.stdout.flush()
