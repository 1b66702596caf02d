"""A published release, a container, and what stands in for the outside; for the tests of `make test-deploy`."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scripts.cli import config
from scripts.release import archive, signing
from scripts.run import Runner
from scripts.tools.node import node
from simulator.serving import HttpServing
from tests.standins import ollama_program
from tests.standins.registry import Registry

from .container import Container, free_port, missing

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = os.urandom(6_000_000)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built release's archive and manifest, with checksums and their signature by a key of this test."""
    folder = tmp_path_factory.mktemp("published")
    cfg = config()
    run = Runner("test-deploy", folder / "log")
    name = f"{cfg.release_name}-{cfg.profile}-py{cfg.python_version}-x86_64"
    files = [folder / f"{name}.tar.gz", folder / f"{name}.release.json"]
    archive.write(cfg.release, files[0], node(cfg, run))
    files[1].write_bytes((cfg.release / "release.json").read_bytes())
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signing.sign(run, signing.write_sums(folder, files), key)
    (folder / "signers").write_text(f"release {key.with_suffix('.pub').read_text()}")
    return folder


class Files(HttpServing):
    """A folder over HTTP, in place of where Ollama's archive is published."""

    def __init__(self, folder: Path) -> None:
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

        super().__init__(0, partial(Handler, directory=str(folder)))  # type: ignore[arg-type]


@dataclass
class Site:
    """What an operator has: a host, a release, variables. `play` is `make deploy`."""

    host: Container
    folder: Path
    variables: dict[str, Any]
    registry: Registry
    port: int
    settled: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def play(self, *options: str, **changed: Any) -> subprocess.CompletedProcess[str]:
        path = self.folder / "variables.yml"
        path.write_text(json.dumps(self.variables | changed))  # JSON is YAML, too
        starter = [sys.executable, str(ROOT / "scripts" / "bootstrap.py"), "--", "-m", "scripts"]
        command = [*starter, "deploy", "root@127.0.0.1", "--vars", str(path), *options]
        env = {**os.environ, "ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def site(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if lacking := missing():
        pytest.skip(f"a container needs {lacking}")
    folder = tmp_path_factory.mktemp("deploy")
    outside = folder / "outside"
    outside.mkdir()
    digest = ollama_archive(outside / "ollama-linux-amd64.tgz")
    container, port = Container(folder / "container"), free_port()
    with Files(outside) as files, Registry(WEIGHTS) as registry:
        variables = {
            "ansible_port": container.port,
            "ansible_ssh_private_key_file": str(container.key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "deploy_release_folder": str(published),
            "deploy_release_signers": str(published / "signers"),
            "deploy_reference_folder": str(folder),
            "deploy_tdx": "simulated",
            "deploy_ollama_url": f"{files.url}/ollama-linux-amd64.tgz",
            "deploy_ollama_sha256": digest,
            "deploy_models": [registry.model],
            "deploy_settings": {"PORT": port, "WEBUI_NAME": 'A "quoted" name'},
            "deploy_secrets": {"OPENAI_API_KEY": "sk-secret"},
            "deploy_verify_url": f"http://127.0.0.1:{port}",
        }
        container.make()
        container.boot()
        try:
            yield Site(container, folder, variables, registry, port)
        finally:
            container.stop()


def ollama_archive(path: Path) -> str:
    """An archive as Ollama publishes it (`bin/ollama`, `lib/ollama/`), of the stand-in; its SHA-256."""
    content = b"#!/usr/bin/python3\n" + Path(ollama_program.__file__).read_bytes()
    with tarfile.open(path, "w:gz") as file:
        for name, data, mode in (("bin/ollama", content, 0o755), ("lib/ollama/runner", b"none", 0o644)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            file.addfile(entry, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()
