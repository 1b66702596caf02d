"""The PCCS stand-in: a real client fetches collateral from it, and it answers as the PCS API says."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from urllib.parse import unquote

import dcap_qvl  # type: ignore[import-untyped]
import pytest

from simulator import pki
from simulator.collateral import collateral
from simulator.pccs import Pccs
from simulator.quotes import make_quote

ROOT = Path(__file__).parents[2]
FMSPC = "53494D000000"


def get(url: str) -> tuple[int, Message, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


async def fetch(url: str, quote: bytes) -> dcap_qvl.QuoteCollateralV3:
    return await dcap_qvl.get_collateral(url, quote)


@pytest.mark.parametrize("version", [4, 5])
def test_dcap_qvl_fetches_and_verifies(version: int) -> None:
    quote = make_quote(b"x", version=version)
    with Pccs() as pccs:
        fetched = asyncio.run(fetch(pccs.url, quote))
        assert [path.split("?")[0] for path in pccs.requests] == [
            "/sgx/certification/v4/pckcrl",
            "/tdx/certification/v4/tcb",
            "/tdx/certification/v4/qe/identity",
            "/sgx/certification/v4/rootcacrl",
        ]
    assert dcap_qvl.verify_with_root_ca(quote, fetched, pki.root_der(), int(time.time())).status == "UpToDate"


def test_faults_are_served() -> None:
    quote = make_quote()
    with Pccs(fault="revoked-pck") as pccs:
        fetched = asyncio.run(fetch(pccs.url, quote))
    with pytest.raises(ValueError, match="CertRevoked"):
        dcap_qvl.verify_with_root_ca(quote, fetched, pki.root_der(), int(time.time()))


def test_bodies_and_headers_are_the_collateral() -> None:
    now = dt.datetime(2025, 10, 9, tzinfo=dt.UTC)
    made = collateral(now)
    with Pccs(now=now) as pccs:
        status, headers, body = get(f"{pccs.url}/sgx/certification/v4/pckcrl?ca=platform&encoding=der")
        assert (status, body.hex()) == (200, made["pck_crl"])
        assert unquote(headers["SGX-PCK-CRL-Issuer-Chain"]) == made["pck_crl_issuer_chain"]
        assert "\n" not in headers["SGX-PCK-CRL-Issuer-Chain"] and "%0A" in headers["SGX-PCK-CRL-Issuer-Chain"]
        assert get(f"{pccs.url}/sgx/certification/v4/pckcrl?ca=platform")[2].decode() == made["pck_crl"]
        assert get(f"{pccs.url}/sgx/certification/v4/rootcacrl")[2].decode() == made["root_ca_crl"]

        status, headers, body = get(f"{pccs.url}/tdx/certification/v4/tcb?fmspc={FMSPC.lower()}")
        assert status == 200 and headers["Content-Type"] == "application/json"
        assert unquote(headers["TCB-Info-Issuer-Chain"]) == made["tcb_info_issuer_chain"]
        assert body.decode() == f'{{"tcbInfo":{made["tcb_info"]},"signature":"{made["tcb_info_signature"]}"}}'

        status, headers, body = get(f"{pccs.url}/tdx/certification/v4/qe/identity")
        assert unquote(headers["SGX-Enclave-Identity-Issuer-Chain"]) == made["qe_identity_issuer_chain"]
        assert json.loads(body)["signature"] == made["qe_identity_signature"]
        assert json.loads(get(f"{pccs.url}/sgx/certification/v4/qe/identity")[2])["enclaveIdentity"]["id"] == "QE"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sgx/certification/v4/pckcrl", 400),
        ("/sgx/certification/v4/pckcrl?ca=platform&encoding=xml", 400),
        ("/sgx/certification/v4/pckcrl?ca=processor", 404),
        ("/tdx/certification/v4/tcb", 400),
        ("/tdx/certification/v4/tcb?fmspc=xyz", 400),
        ("/tdx/certification/v4/tcb?fmspc=00906ED50000", 404),
        ("/", 404),
    ],
)
def test_refusals(path: str, status: int) -> None:
    with Pccs() as pccs:
        assert get(pccs.url + path)[0] == status


def test_unknown_fault() -> None:
    with pytest.raises(ValueError, match="no collateral fault is called 'typo'"):
        Pccs(fault="typo")


@pytest.mark.slow
def test_command_line_serves_until_told_to_stop(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "simulator", "pccs", "--port", "0", "--ready-file", str(ready)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        for _ in range(100):
            if ready.exists():
                break
            time.sleep(0.05)
        assert ready.read_text() == url + "\n"
        assert get(f"{url}/sgx/certification/v4/rootcacrl")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_command_line_names_a_port_in_use() -> None:
    with Pccs() as pccs:
        port = pccs.url.rsplit(":", 1)[1]
        done = subprocess.run(
            [sys.executable, "-m", "simulator", "pccs", "--port", port], cwd=ROOT, capture_output=True, text=True
        )
    assert done.returncode == 1
    assert done.stderr == f"simulator: cannot listen on 127.0.0.1:{port}: Address already in use\n"
