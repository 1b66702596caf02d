"""Debian's pebble, a real ACME server, with pebble-challtestsrv as its name server, on free ports.

`Pebble.restart` loses everything that it knew, as a test server does: accounts, orders and its own root are new.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.door.authorities import TestAuthority, draw, pem
from tests.ports import free_port

QUIET = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not here: apt-get install pebble.", pytrace=False)
    return found


@dataclass
class Pebble:
    """`http_port`: where it validates names; `config`: members of pebble's configuration beside the usual ones;
    `address`: where it listens."""

    folder: Path
    http_port: int
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    days: float = 3650
    address: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    management: int = field(default_factory=free_port)
    _names: int = field(default_factory=free_port)
    _control: int = field(default_factory=free_port)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        key, own = draw(), TestAuthority("The CA of pebble's own address")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "key.pem").write_bytes(pem(key))
        leaf = own.leaf(key.public_key(), "localhost", self.address, days=self.days)
        (self.folder / "cert.pem").write_bytes(leaf)
        self.ca_file.write_bytes(own.root)
        dns = [program("pebble-challtestsrv"), "-defaultIPv6", "", "-dns01", f"127.0.0.1:{self._names}"]
        dns += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{self._control}"]
        self._start(dns, self._control)

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def directory(self) -> str:
        return f"https://{'localhost' if self.address == '127.0.0.1' else self.address}:{self.port}/dir"

    def start(self) -> None:
        """Answer from now on."""
        config = {
            "listenAddress": f"{self.address}:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(self.folder / "cert.pem"),
            "privateKey": str(self.folder / "key.pem"),
            "httpPort": self.http_port,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            **self.config,
        }
        (self.folder / "config.json").write_text(json.dumps({"pebble": config}))
        command = [program("pebble"), "-config", str(self.folder / "config.json")]
        self._start([*command, "-dnsserver", f"127.0.0.1:{self._names}"], self.port, self.address)

    def kill(self) -> None:
        """Answer no longer."""
        last = self._running.pop()
        last.kill()
        last.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        while self._running:
            self.kill()

    def addresses(self, name: str, *addresses: str) -> None:
        """What the name server says for `name` from now on (127.0.0.1 unless said otherwise)."""
        body = json.dumps({"host": name, "addresses": addresses}).encode()
        for path in ("clear-a", "add-a"):
            urllib.request.urlopen(f"http://127.0.0.1:{self._control}/{path}", body, 10).close()

    def root(self) -> str:
        """The root that its certificates lead to (PEM)."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        address = f"https://localhost:{self.management}/roots/0"
        with urllib.request.urlopen(address, timeout=10, context=context) as answer:
            return str(answer.read().decode())

    def _start(self, command: list[str], port: int, address: str = "127.0.0.1") -> None:
        with (self.folder / f"{Path(command[0]).name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | QUIET | self.environment)
        self._running.append(process)
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection((address, port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        pytest.fail(f"{command[0]} does not answer; see {self.folder}.")
