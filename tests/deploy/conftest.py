"""A published release, a container, and what stands in for the outside; for the tests of `make test-deploy`."""

from __future__ import annotations

import base64
import json
import os
import shlex
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from door.tls import spki_sha256
from scripts.cli import config
from tests.door.authorities import TestAuthority
from tests.door.issuing.pebble import Pebble
from tests.standins.registry import Registry

from . import published
from .container import PACKAGES, Container, image, missing
from .outside import Files, TlsEnd, context, ollama_archive

ROOT = Path(__file__).resolve().parents[2]
NAME = "chat.example"
STARTER = (sys.executable, str(ROOT / "scripts" / "bootstrap.py"), "--", "-m", "scripts")
WEIGHTS = os.urandom(6_000_000)
Dress = Callable[[Container], None]


@dataclass
class Site:
    """What an operator has: a host, a release, variables; `files`: where files are fetched from."""

    host: Container
    folder: Path
    variables: dict[str, Any]
    registry: Registry
    packed: Path
    key: Path
    files: str

    @property
    def url(self) -> str:
        return f"https://{NAME}"

    def shown_key(self) -> str:
        """SHA-256 (base64) of the public key that the service shows now, whose certificate must be of the test's CA."""
        trusted = ssl.create_default_context(cafile=self.folder / "pebble.pem")
        with (
            socket.create_connection((self.host.address, 443), 10) as plain,
            trusted.wrap_socket(plain, server_hostname=NAME) as tls,
        ):
            shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
        return base64.b64encode(bytes.fromhex(spki_sha256(shown))).decode()

    def play(self, *options: str, **changed: Any) -> subprocess.CompletedProcess[str]:
        """`make deploy`, in a mount namespace of its own, where the service's name leads to the container."""
        path = self.folder / "variables.yml"
        path.write_text(json.dumps(self.variables | changed))  # JSON is YAML, too
        return self._outside([*STARTER, "deploy", f"root@{self.host.address}", "--vars", str(path), *options])

    def unlock(self, *options: str) -> subprocess.CompletedProcess[str]:
        """`quote-verifier unlock` by the owner of the service's data, who has `data.key`, with those values."""
        values = self.folder / f"reference-values.{self.host.address}.json"
        held = (
            "--release",
            str(values),
            "--key",
            str(self.folder / "data.key"),
            "--accept",
            "simulated",
            "--accept",
            "administrator",
        )
        cache = ("--cache", str(self.folder / "cache"))
        return self._outside([sys.executable, "-m", "quote_verifier", "unlock", self.url, *held, *cache, *options])

    def _outside(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        hosts = shlex.quote(str(self.folder / "hosts"))
        shell = f"mount --bind {hosts} /etc/hosts && exec {shlex.join(command)}"
        env = {**os.environ, "ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        env["PYTHONPATH"] = str(ROOT / "quote_verifier" / "src")
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", shell], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )

    def play_there(self) -> subprocess.CompletedProcess[str]:
        """`make deploy HOST=local` on the host itself, where this repository and its environments are."""
        path = self.folder / "local.yml"
        path.write_text(json.dumps(self.variables))
        env = ("env", "-C", str(ROOT), f"CACHE_DIR={config().cache}", "OFFLINE=1", "ANSIBLE_NOCOLOR=1")
        return self.host.run(*env, *STARTER, "deploy", "local", "--vars", str(path))

    def release(self, name: str, **renamed: str) -> dict[str, str]:
        """Variables that name another release, signed by the same key."""
        folder = published.publish(self.packed, self.folder / name, self.key, **renamed)
        return {"deploy_release_folder": str(folder), "deploy_release_signers": str(folder / "signers")}


def site_of(stack: ExitStack, folder: Path, packages: str = PACKAGES, dress: Dress | None = None) -> Site:
    """A container from an image with these packages, booted once `dress` has changed its root, and all around it."""
    cfg, authority = config(), TestAuthority()
    packed = published.pack(cfg)
    container = Container(folder / "container")
    container.make(image(cfg.cache, packages), authority.root)
    if dress:
        dress(container)
    stack.callback(container.stop)
    with open(container.root / "etc/hosts", "a") as hosts:
        hosts.write(f"127.0.0.1 localhost {NAME}\n")
    container.boot([folder, cfg.cache], [ROOT, *({Path(sys.base_prefix)} - {Path("/usr")})])
    made = context(authority, container.outside, folder)
    outside = folder / "outside"
    outside.mkdir()
    digest = ollama_archive(outside / "ollama-linux-amd64.tgz")
    registry = stack.enter_context(Registry(WEIGHTS))
    registry.host = stack.enter_context(TlsEnd(container.outside, made, registry.url)).host
    files = stack.enter_context(TlsEnd(container.outside, made, stack.enter_context(Files(outside)).url))
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{container.address} {NAME}\n")
    variables = {
        "ansible_ssh_private_key_file": str(container.key),
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        "deploy_reference_folder": str(folder),
        "deploy_ollama_url": f"https://{files.host}/ollama-linux-amd64.tgz",
        "deploy_ollama_sha256": digest,
        "deploy_models": [registry.model],
        "deploy_pull_settings": {"ATTEMPTS": 2, "RETRY_S": 1},
    }
    site = Site(container, folder, variables, registry, packed, folder / "signer", files.host)
    site.variables |= site.release("published")
    return site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Debian 12, to be set up with a simulated TD and a certificate of an ACME server's."""
    if lacking := missing():
        pytest.skip(f"a container needs {lacking}")
    with ExitStack() as stack:
        made = site_of(stack, tmp_path_factory.mktemp("deploy"))
        pebble = Pebble(made.folder / "pebble", 80, address=made.host.outside)
        stack.callback(pebble.close)
        pebble.start()
        pebble.addresses(NAME, made.host.address)
        (made.host.root / "etc/acme-ca.pem").write_text(pebble.ca_file.read_text())
        (made.folder / "pebble.pem").write_text(pebble.root())
        made.variables |= {
            "deploy_tdx": "simulated",
            "deploy_settings": {
                "HOST": "0.0.0.0",
                "PORT": 443,
                "ORIGIN": made.url,
                "TLS": "acme",
                "ACME_DIRECTORY": pebble.directory,
                "ACME_CA_FILE": "/etc/acme-ca.pem",
                "WEBUI_NAME": 'A "quoted" name',
                "TEE_GATE": "off",
            },
            "deploy_secrets": {"OPENAI_API_KEY": "sk-secret"},
            "deploy_verify_ca_file": str(made.folder / "pebble.pem"),
        }
        yield made
