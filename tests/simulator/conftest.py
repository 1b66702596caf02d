"""The simulated library through ctypes, and the two production verifiers that judge its quotes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dcap_qvl  # type: ignore[import-untyped]
import pytest

from scripts.config import from_environment
from simulator import pki
from simulator.collateral import collateral
from tests.conftest import ROOT, built_once

from .library import Library

NOW = 1_760_000_000  # 2025-10-09: every certificate, CRL and text of these tests is dated from it
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Verdict:
    """What a verifier made of a quote: a TCB status and claims, or the reason for its refusal."""

    status: str | None
    reason: str = ""
    claims: Any = None


def judge(quote: bytes, made: dict[str, str] | None = None, *, root: bytes | None = None, now: int = NOW) -> Verdict:
    """dcap-qvl's Python (the Rust implementation), by default under the test root with good collateral."""
    parsed = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(made or collateral(now)))
    try:
        report = dcap_qvl.verify_with_root_ca(quote, parsed, pki.root_der() if root is None else root, now)
    except ValueError as error:
        return Verdict(None, str(error))
    return Verdict(report.status, claims=json.loads(report.to_json()))


@pytest.fixture
def td(simulator_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The library with a fresh TD of its own."""
    for name in ("FAULT", "STATUS", "STATUS_CALLS", "DELAY_MS", "QUOTE_VERSION", "BOOT_ID", "LIBCRYPTO"):
        monkeypatch.delenv(f"TDX_SIM_{name}", raising=False)
    monkeypatch.setenv("TDX_SIM_STATE", str(tmp_path / "state"))
    return Library(simulator_library)


def _fetch_javascript(out: Path) -> None:
    """dcap-qvl-js from the pinned source distribution, with the dependencies that its own lock names."""
    from scripts.run import Runner
    from scripts.sources.archives import unpack
    from scripts.sources.downloads import obtain
    from scripts.tools.node import node

    cfg = from_environment(ROOT)
    runner = Runner("tests", ROOT / "build" / "logs" / "tests.log")
    tools = node(cfg, runner)
    folder = unpack(obtain(cfg, runner, "dcap_qvl"), out / "dcap-qvl") / "dcap-qvl-js"
    install = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
    runner([tools.folder / "node", tools.npm, *install], cwd=folder, env=tools.environment(cfg), what="npm ci")
    (out / "module").symlink_to(folder.relative_to(out))
    (out / "node").symlink_to(tools.folder / "node")


class JavaScript:
    """dcap-qvl's JavaScript in one Node process: a JSON request a line, a JSON answer a line."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [folder / "node", HERE / "verify.cjs", (folder / "module").resolve()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def judge(
        self, quote: bytes, made: dict[str, str] | None = None, *, root: bytes | None = None, now: int = NOW
    ) -> Verdict:
        assert self._process.stdin and self._process.stdout
        trusted = "" if root == b"" else (root or pki.root_der()).hex()  # b"": its own copy of Intel's root
        request = {"quote": quote.hex(), "collateral": made or collateral(now), "root": trusted, "now": now}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Verdict(answer.get("status"), answer.get("error", ""))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)


@pytest.fixture(scope="session")
def javascript() -> Iterator[JavaScript]:
    pin = from_environment(ROOT).pins["dcap_qvl"]
    verifier = JavaScript(built_once(f"dcap-qvl-js-{pin.sha256[:16]}", _fetch_javascript))
    yield verifier
    verifier.close()
