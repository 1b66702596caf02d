"""The release, running: started by its own launcher, stopped as a person would."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import leftovers
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ANYBODY = ssl._create_unverified_context()  # what answers is told from others by its port alone
START_S = 300.0
STOP_S = 30.0


# Pages may ask only services that the launch names: where the tests' stand-ins listen, and where nobody does.
SERVICE_PORT = free_port()
SERVICES_ALLOWED = (f"http://127.0.0.1:{SERVICE_PORT}", "http://127.0.0.1:9")


@dataclass(frozen=True)
class Server:
    """A running server: its URL, and its data folder."""

    url: str
    data: Path


def release() -> Path | None:
    """The newest release below `DIST_DIR` (default `dist/`), or None before the first build."""
    dist = Path(os.environ.get("DIST_DIR", ROOT / "dist"))
    found = [path for path in dist.glob("open-webui-tdx-*/open-webui-tdx") if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


_compiled: list[Path] = []


def keep_bytecode(data: Path) -> None:
    """Give a new data folder the bytecode of an earlier launch, which makes half of the work of a first one."""
    if not _compiled:
        _compiled.append(data)
    elif (_compiled[0] / "run").is_dir() and not (data / "run").exists():
        (data / "run").mkdir(mode=0o755)
        subprocess.run(["cp", "-a", *(_compiled[0] / "run").glob("pycache-*"), data / "run"], check=True)


def _quiet(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without what a launch measures as leading words away, such as this machine's own certificates."""
    leading = ("SSL_CERT_FILE", "SSL_CERT_DIR")
    return {name: value for name, value in environ.items() if name not in leading and "proxy" not in name.lower()}


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2, context=ANYBODY) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_S
    while not _healthy(url):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the release did not start; the last of {log}:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@contextmanager
def serve(launcher: Path, data: Path, port: int | None = None, **settings: str) -> Iterator[Server]:
    """Start the release on a port of its own with the simulator and the embedded model, and stop it afterwards."""
    port = port or free_port()
    data.mkdir(parents=True, exist_ok=True)
    keep_bytecode(data)
    log = data.parent / f"{data.name}.log"
    chosen: Mapping[str, str] = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATA_DIR": str(data),
        "TDX": "simulated",
        "LLM": "embedded",
        "TEE_GATE": "off",
        "TEE_SERVICE_ORIGINS": ",".join(SERVICES_ALLOWED),
        "ENABLE_CHANNELS": "true",  # one of the ways in which words leave
        **settings,
    }
    url = f"{'http' if chosen.get('TLS', 'off') == 'off' else 'https'}://127.0.0.1:{port}"
    with log.open("ab") as output:
        environ = {**_quiet(os.environ), **chosen}
        process = subprocess.Popen(
            [launcher], env=environ, stdout=output, stderr=output, preexec_fn=leftovers.end_with_parent
        )
    try:
        _wait(process, url, log)
        yield Server(url, data)
    finally:
        _stop(process)
