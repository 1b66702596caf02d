"""A machine with a data volume, and who holds the key of it, elsewhere: boots it, looks at its evidence, opens it."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

from scripts.config import root
from scripts.image import inside, platform
from tests.image.built import Built
from tests.image.machine import Machine, added, booted, volume
from tests.ports import free_port
from tests.release.unlocking import new_key, told

# systemd shortens names on the console.
READY = "Started open-webui-tdx.se"
FAILED = "Failed to start open-webui"
LONG_S = 1800.0  # everything in the machine is emulated
LABEL = "open-webui-tdx-data"


@dataclass(frozen=True)
class Owner:
    """The machine's parts: `port` of this host leads to it, `disk` is its data volume, `public` the owner's key.

    `model`: what its models volume holds; it has none where that is empty, and then no model answers.
    """

    built: Built
    ovmf: Path
    folder: Path
    port: int
    disk: Path
    public: str
    model: bytes

    @property
    def url(self) -> str:
        """Where a browser on this host finds it."""
        return f"https://127.0.0.1:{self.port}"

    @contextmanager
    def booted(self, name: str, extra: Sequence[str] = ()) -> Iterator[Machine]:
        """Boot it; its power is cut at the end."""
        settings = {
            "LLM": "embedded" if self.model else "none", "HOST": "0.0.0.0", "PORT": "8443", "TLS": "self-signed",
            "START_TIMEOUT_S": "3600", "ORIGIN": self.url, "DATA_KEY": "unlock", "DATA_OWNER": self.public,
        }  # fmt: skip
        config: dict[str, Any] = {"v": 1, "settings": settings, "clock": "host"}  # its network ends at this machine
        options = ["-m", "6144", *added(self.disk), *extra]
        if self.model:
            config["model"] = described(self.model)
            options += models_volume(self.folder, self.model)
        with booted(self.folder / name, self.ovmf, self.built.disk, json.dumps(config), options, self.port) as machine:
            yield machine

    def references(self, machine: Machine) -> Path:
        """The build's reference values, with MRTD and RTMR 0 from one look at the machine."""
        bundle, known = self.folder / "bundle.json", self.folder / "known.json"
        self.verify("--save", str(bundle))
        release = inside.references(self.built.cfg, self.built.run, machine.folder / "config")
        platform.write(known, platform.references_from(self.built.cfg, bundle, release))
        return known

    def verify(self, *options: str) -> tuple[int, dict[str, Any]]:
        """quote-verifier's exit code and verdict on the machine."""
        certificate = self.folder / "certificate.pem"
        certificate.write_text(ssl.get_server_certificate(("127.0.0.1", self.port), timeout=120))
        command = [sys.executable, "-m", "quote_verifier", self.url, "--json", "--timeout", "300"]
        command += ["--ca-file", str(certificate), "--cache", str(self.folder / "cache"), *options]
        environment = {**os.environ, "PYTHONPATH": str(root() / "quote_verifier/src"), "PYTHONSAFEPATH": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def unlock(self, references: Path, *more: str) -> tuple[int, str]:
        """quote-verifier unlock's exit code, and what it says."""
        usual = ("--release", str(references), "--key", str(self.folder / "data.key"), "--accept", "simulated")
        return told(self.url, *usual, "--cache", str(self.folder / "cache"), "--timeout", "300", *more, seconds=900)

    def wait_until_healthy(self) -> None:
        """Until it serves people."""
        urllib3.disable_warnings()
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            with suppress(requests.RequestException):
                if requests.get(f"{self.url}/health", timeout=60, verify=False).status_code == 200:
                    return
            time.sleep(1)
        raise AssertionError("it does not serve")


def described(model: bytes) -> dict[str, Any]:
    """What a configuration says of a models volume's content."""
    return {"name": "mine-1k", "bytes": len(model), "sha384": hashlib.sha384(model).hexdigest()}


def models_volume(folder: Path, content: bytes) -> list[str]:
    """Options that add a models volume with this content."""
    (folder / "weights").write_bytes(content)
    return volume(folder / "model.raw", "open-webui-tdx-model", folder / "weights")


def new(built: Built, ovmf: Path, folder: Path, model: bytes = b"") -> Owner:
    """A machine that never ran: its data volume is empty, its owner's key is drawn."""
    content = folder / "empty"
    with content.open("wb") as file:
        file.truncate(128 << 20)
    volume(folder / "data.raw", LABEL, content)
    content.unlink()
    public = new_key(folder / "data.key")
    return Owner(built, ovmf, folder, free_port(), folder / "data.raw", public, model)
