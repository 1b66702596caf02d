"""`quote-verifier connect` before a running release, started as a person would, and what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests import leftovers
from tests.browser.running import Server
from tests.quote_verifier.world import platform

SOURCES = Path(__file__).resolve().parents[2] / "quote_verifier" / "src"


def hold(server: Server, file: Path) -> Path:
    """Write reference values of this very launch: its log, as the evidence has it."""
    log = requests.get(f"{server.url}/api/v1/tee/quote", timeout=30).json()["event_log"].splitlines()
    events = [line for line in log if line.startswith("open-webui-tdx ") and not re.match(r"\S+ (site|launch) ", line)]
    file.write_text(json.dumps({"v": 2, "name": "test", "events": events, "platforms": [platform()]}))
    return file


class Connected:
    """A command that runs; each call of `said` is the next line of its JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def said(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))


@contextmanager
def connected(url: str, held: Path, folder: Path, *more: str) -> Iterator[Connected]:
    """The command, for as long as it is needed; it is told to take any free port."""
    command = [sys.executable, "-m", "quote_verifier", "connect", url, "--release", str(held), "--port", "0"]
    command += ["--json", "--cache", str(folder / "cache"), *more]
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"PYTHONPATH": str(SOURCES)},
        preexec_fn=leftovers.end_with_parent,
    )
    with process:
        try:
            yield Connected(process)
        finally:
            process.terminate()
