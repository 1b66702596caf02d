"""A release whose data is encrypted, and its owner's side of it, for tests and for the benchmark."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from quote_verifier.encoding import from_base64url

from tests import leftovers
from tests.browser.running import START_S, Server, keep_bytecode
from tests.quote_verifier.world import platform

SOURCES = Path(__file__).resolve().parents[2] / "quote_verifier" / "src"
WHO = {"name": "Ada", "email": "ada@example.org", "password": "a long password 1"}
MARK = f"a-word-that-nobody-else-writes-{uuid4().hex}"
#: Where words could still lie besides the data folder.
ELSEWHERE = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/var/log"))


def owner(*arguments: str) -> subprocess.Popen[str]:
    """`quote-verifier unlock` with these arguments."""
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    command = [sys.executable, "-m", "quote_verifier", "unlock", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment | {"PYTHONPATH": str(SOURCES)},
        preexec_fn=leftovers.end_with_parent,
    )


def told(*arguments: str, seconds: float = 120) -> tuple[int, str]:
    process = owner(*arguments)
    said, _ = process.communicate(timeout=seconds)
    return process.returncode, said


def new_key(path: Path | str) -> str:
    """Have an owner's key made there; what `DATA_OWNER` has to be for it."""
    return told("--new-key", str(path))[1].splitlines()[0].removeprefix("DATA_OWNER=")


def health(url: str) -> tuple[int, str]:
    with suppress(requests.RequestException):
        answer = requests.get(f"{url}/health", timeout=5)
        return answer.status_code, answer.text
    return 0, ""


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + START_S
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


@contextmanager
def launched(
    release: Path, server: Server, public: str, *command: str, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The release with encrypted data, once it answers, locked; stopped as a person would at the end."""
    quiet = {name: value for name, value in os.environ.items() if "SSL" not in name and "proxy" not in name.lower()}
    keep_bytecode(server.data)
    settings = {"TDX": "simulated", "LLM": "embedded", "PORT": str(port_of(server)), "DATA_KEY": "unlock"}
    environment = quiet | settings | {"DATA_DIR": str(server.data), "DATA_OWNER": public} | more
    with open(server.data.with_suffix(".log"), "ab") as output:
        process = subprocess.Popen(
            [release / "open-webui-tdx", *command],
            env=environment,
            stdout=output,
            stderr=output,
            preexec_fn=leftovers.end_with_parent,
        )
    try:
        until(
            lambda: process.poll() is not None or "locked" in health(server.url)[1], "it does not say that it is locked"
        )
        assert process.poll() is None, server.data.with_suffix(".log").read_text()[-2000:]
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def evidence(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{server.url}/api/v1/tee/quote", timeout=60).json()
    return found


def unlock_key(server: Server) -> bytes:
    """The key that waits for the owner's message."""
    return from_base64url(evidence(server)["runtime_data"]["unlock"], "the key")


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def references(server: Server, folder: Path) -> str:
    """Reference values of this very launch: its log, as the evidence has it."""
    log = evidence(server)["event_log"].splitlines()
    events = [line for line in log if line.startswith("open-webui-tdx ") and not re.match(r"\S+ (site|launch) ", line)]
    path = folder / "held.json"
    path.write_text(json.dumps({"v": 2, "name": "test", "events": events, "platforms": [platform()]}))
    return str(path)


def readable(server: Server) -> list[Path]:
    """Files below DATA_DIR that hold the words, without looking into what is mounted."""
    found = []
    for folder, folders, names in os.walk(server.data):
        if Path(folder) == server.data:
            folders[:] = [name for name in folders if name != "open"]
        for path in (Path(folder) / name for name in names):
            if path.is_file() and MARK.encode() in path.read_bytes():
                found.append(path)
    return found


def left_elsewhere(since: float) -> list[Path]:
    """Files that hold the words in temporary folders and logs, and what of the memory was swapped out."""
    swaps = [line.split()[0] for line in Path("/proc/swaps").read_text().splitlines()[1:]]
    found = [path for path in map(Path, swaps) if holds(path)]
    for place in ELSEWHERE:
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if not os.path.ismount(Path(folder, name))]
            for path in (Path(folder, name) for name in names):
                with suppress(OSError):
                    recent = path.stat().st_mtime >= since and path.is_file() and not path.is_symlink()
                    found += [path] if recent and holds(path) else []
    return found


def holds(path: Path) -> bool:
    wanted, last = MARK.encode(), b""
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            if wanted in last + block:
                return True
            last = block[-len(wanted) :]
    return False


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def write(server: Server, token: str, words: str) -> str:
    """A chat with the words in it; its id."""
    content = {"chat": {"title": words, "messages": [{"role": "user", "content": f"Remember {words}."}]}}
    answer = requests.post(f"{server.url}/api/v1/chats/new", json=content, headers=bearer(token), timeout=60)
    answer.raise_for_status()
    return str(answer.json()["id"])
